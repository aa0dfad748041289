"""What is a claim? A numbered right to a row that expires; only the newest can write (ADR 30).

A worker that takes a claim raises its number, and keeps that number in its copy of the row. Each of
its later writes asks for that number. So a worker that was paused past the expiry, and overtaken,
writes nothing.
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
    """The columns of a table that a claim is made of, as conditions and as changes.

    Compiled queries use these; all others use the methods of ClaimQuerySet.
    """

    number: str  # of the newest claim
    until: str  # when it expires, by the database's clock; null: nobody holds the row

    def fence(self, key: object, number: object) -> Q:
        """Return the condition that a row's newest claim has this number: the fence."""
        return Q(**{"pk": key, self.number: number})

    def is_free(self) -> Q:
        """Return the condition that nobody holds the row, or no longer."""
        return Q(**{self.until: None}) | Q(**{f"{self.until}__lt": Now()})

    def is_held(self) -> Q:
        """Return the condition that somebody holds the row."""
        return Q(**{f"{self.until}__gte": Now()})

    def taken(self, seconds: float | Slot) -> dict[str, Any]:
        """Return the changes that make a new claim; it lasts for `seconds`."""
        return {self.number: F(self.number) + 1, **self.renewed(seconds)}

    def renewed(self, seconds: float | Slot) -> dict[str, Any]:
        """Return the changes that let the claim last for `seconds` from now."""
        return {self.until: database_time(seconds)}

    def released(self) -> dict[str, Any]:
        """Return the changes that end the claim."""
        return {self.until: None}

    def revoked(self) -> dict[str, Any]:
        """Return the changes that end the claim and fence off its holder."""
        return {self.number: F(self.number) + 1, **self.released()}


class ClaimQuerySet(models.QuerySet[M]):
    """Rows that can be claimed. A holder is known by the number in its copy of the row."""

    claim: ClassVar[Claim]

    def free(self) -> Self:
        """Rows that nobody holds, or whose claim has expired."""
        return self.filter(self.claim.is_free())

    def held(self) -> Self:
        """Rows that somebody has a valid claim on."""
        return self.filter(self.claim.is_held())

    def fence(self, copy: M) -> Self:
        """Select the holder's row, unless a newer claim has overtaken it."""
        return self.filter(self.claim.fence(copy.pk, getattr(copy, self.claim.number)))

    def take(self, copy: M, seconds: float) -> bool:
        """Claim a free row for `seconds`; False when it is held, or was taken since it was read.

        The claim's number is the copy's plus one, and the copy has it from then on. It is never
        read back: by then it could be another holder's. A locked row is not waited for (ADR 25).
        """
        free = self.filter(WaitBriefly()).free().fence(copy)
        if not free.update(**self.claim.taken(seconds)):
            return False
        setattr(copy, self.claim.number, getattr(copy, self.claim.number) + 1)
        return True

    def renew(self, copy: M, seconds: float) -> bool:
        """Let the claim last for `seconds` from now; False when it was overtaken."""
        return bool(self.fence(copy).update(**self.claim.renewed(seconds)))

    def hold(self, copy: M, seconds: float) -> None:
        """Renew the claim or raise ClaimLost; in a transaction, nobody takes it before its end."""
        if not self.renew(copy, seconds):
            raise ClaimLost

    def release(self, copy: M, **changes: Any) -> bool:
        """Give the row back; False, with nothing changed, when the claim was overtaken."""
        return bool(self.fence(copy).update(**self.claim.released(), **changes))

    def revoke(self, **changes: Any) -> int:
        """End the claims on all these rows; whoever holds one is overtaken. Return how many."""
        return self.update(**self.claim.revoked(), **changes)
