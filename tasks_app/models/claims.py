"""Defines claims: numbered, expiring rights to a row, of which only the newest can write (ADR 30).

A worker that takes a claim raises its number, and keeps that number in its copy of the row. Each of
its later writes has that number in its condition. So a worker that was paused past the expiry, and
whose claim was taken over, writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from piston.database.compiled_queries import Slot
from piston.database.locks import WaitBriefly
from tasks_app.errors import ClaimLost
from tasks_app.models.clock import database_time

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True)
class Claim:
    """The two columns of a claim, with the conditions and changes that are made of them.

    Compiled queries use these; all other code uses the methods of ClaimQuerySet.
    """

    number: str  # of the newest claim
    until: str  # when it expires, by the database's clock; null: the row is not claimed

    def fence(self, key: object, number: object) -> Q:
        """Return the fence: the condition that a row's newest claim has this number."""
        return Q(**{"pk": key, self.number: number})

    def is_free(self) -> Q:
        """Return the condition that the row is not claimed, or its claim has expired."""
        return Q(**{self.until: None}) | Q(**{f"{self.until}__lt": Now()})

    def is_held(self) -> Q:
        """Return the condition that the row has a valid claim."""
        return Q(**{f"{self.until}__gte": Now()})

    def taken(self, seconds: float | Slot) -> dict[str, Any]:
        """Return the changes that make a new claim, which lasts for `seconds`."""
        return {self.number: F(self.number) + 1, **self.renewed(seconds)}

    def renewed(self, seconds: float | Slot) -> dict[str, Any]:
        """Return the changes that renew the claim for `seconds` from now."""
        return {self.until: database_time(seconds)}

    def released(self) -> dict[str, Any]:
        """Return the changes that end the claim."""
        return {self.until: None}

    def revoked(self) -> dict[str, Any]:
        """Return the changes that end the claim, and fence off its holder."""
        return {self.number: F(self.number) + 1, **self.released()}


class ClaimQuerySet(models.QuerySet[M]):
    """Rows that can be claimed; the number in a holder's copy of the row identifies its claim."""

    claim: ClassVar[Claim]

    def free(self) -> Self:
        """Rows that are not claimed, or whose claim has expired."""
        return self.filter(self.claim.is_free())

    def held(self) -> Self:
        """Rows that have a valid claim."""
        return self.filter(self.claim.is_held())

    def fence(self, copy: M) -> Self:
        """Select the holder's row, unless there is a newer claim."""
        return self.filter(self.claim.fence(copy.pk, getattr(copy, self.claim.number)))

    def take(self, copy: M, seconds: float) -> bool:
        """Claim a free row for `seconds`; False when it is held, or was claimed since it was read.

        The new number is the copy's number plus one; this sets it in the copy. It is never read
        back: it could be another holder's by then. A locked row is not waited for (ADR 25).
        """
        free = self.filter(WaitBriefly()).free().fence(copy)
        if not free.update(**self.claim.taken(seconds)):
            return False
        setattr(copy, self.claim.number, getattr(copy, self.claim.number) + 1)
        return True

    def renew(self, copy: M, seconds: float) -> bool:
        """Renew the claim for `seconds` from now; False when it was overtaken by a newer one."""
        return bool(self.fence(copy).update(**self.claim.renewed(seconds)))

    def hold(self, copy: M, seconds: float) -> None:
        """Renew the claim or raise ClaimLost; the row stays locked until the transaction ends."""
        if not self.renew(copy, seconds):
            raise ClaimLost

    def release(self, copy: M, **changes: Any) -> bool:
        """Release the row; False, with nothing changed, when the claim was overtaken."""
        return bool(self.fence(copy).update(**self.claim.released(), **changes))

    def revoke(self, **changes: Any) -> int:
        """End the claims on all these rows, and fence off their holders; return the row count."""
        return self.update(**self.claim.revoked(), **changes)
