"""How does a number come into the system? The rules of `add` and `import`, a batch at a time.

The batch is played through in memory, row by row, on the records that exist; then what came of
it is written. So rows of one file on the same number behave as if each had been written at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from categories.contract import Context, RowFailed
from categories.number_management.access import UNAUTHORIZED, Rights, read_rights
from categories.number_management.carriers import LOCAL_CARRIER
from categories.number_management.columns import merge_features
from categories.number_management.records import (
    NumberRecord,
    insert_records,
    read_records,
    update_records,
)
from categories.number_management.register import Change, add_changes
from categories.number_management.states import (
    ASSIGNED,
    CREATABLE,
    CREATABLE_BY_ANYONE,
    RECREATED,
    NumberState,
)

ATTEMPTS = 3  # to write a batch while other tasks add the same numbers


@dataclass(slots=True)
class Wish:
    """A number that a row wants, and how."""

    number: str
    account_id: str | None
    state: str = NumberState.IN_SERVICE
    carrier_module: str | None = None  # None: as it is, or the default
    ported_in: bool | None = None
    features: dict[str, Any] = field(default_factory=dict)


def create_numbers(
    wishes: Sequence[Wish], context: Context, *, action: str
) -> list[NumberRecord | RowFailed]:
    """Create the numbers; return what each row's number is afterwards, or why it failed.

    When another task commits one of the numbers in between, the database refuses the whole
    write; then it is undone and the batch is played again on what is there now.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic(using=context.database):
                batch = Batch(wishes, context, action=action)
                outcomes = batch.play()
                batch.write()
        except IntegrityError:
            if attempt == ATTEMPTS:
                raise
        else:
            return outcomes
    raise AssertionError("the last attempt returns or raises")


class Batch:
    """The numbers of one batch, as they are after the rows played so far."""

    def __init__(self, wishes: Sequence[Wish], context: Context, *, action: str) -> None:
        self.wishes = wishes
        self.context = context
        self.action = action
        self.now: datetime = context.now()
        numbers = {wish.number for wish in wishes}
        self.records = read_records(numbers, using=context.database, lock=True)
        self.old = frozenset(self.records)
        self.touched: dict[str, NumberRecord] = {}
        self.played: list[tuple[NumberRecord | None, NumberRecord]] = []  # before and after
        # most rows of a batch ask for the same: (account, state, carrier module) -> objection
        self.refusals: dict[tuple[str | None, str, str | None], str] = {}
        holders = {record.account_id for record in self.records.values()}
        accounts = holders | {wish.account_id for wish in wishes}
        self.rights: Rights = read_rights(context, accounts)

    def play(self) -> list[NumberRecord | RowFailed]:
        """Return each row's record or failure."""
        return [self._play_one(wish) for wish in self.wishes]

    def _play_one(self, wish: Wish) -> NumberRecord | RowFailed:
        number = wish.number
        before = self.records.get(number)
        objection = self._find_refusal(wish)
        if before is not None:
            objection = objection or self._find_conflict(wish, before)
        if objection:
            return RowFailed(objection)
        record = self._make(wish) if before is None else self._remake(wish, before)
        self.records[number] = self.touched[number] = record
        self.played.append((before, record))
        return record

    def _find_refusal(self, wish: Wish) -> str:
        """Return why no number may be had like this, "" when one may."""
        terms = (wish.account_id, wish.state, wish.carrier_module)
        refusal = self.refusals.get(terms)
        if refusal is None:
            refusal = self.refusals[terms] = self._refuse(wish)
        return refusal

    def _refuse(self, wish: Wish) -> str:
        account_id = wish.account_id
        if account_id is not None and account_id not in self.rights.known:
            return f"account {account_id} not found"
        if not self._may_create(wish):
            return UNAUTHORIZED
        if (account_id is not None) is not (wish.state in ASSIGNED):
            return "invalid account to assign to"
        return ""

    def _find_conflict(self, wish: Wish, before: NumberRecord) -> str:
        """Return why this number may not be had, "" when it may."""
        if before.state not in RECREATED:
            return f"number {wish.number} already exists"
        if wish.state not in RECREATED[NumberState(before.state)]:
            return "invalid state transition"
        if before.account_id is not None and not self.rights.may_act_on(before.account_id):
            return UNAUTHORIZED
        return ""

    def _may_create(self, wish: Wish) -> bool:
        if self.rights.is_superadmin:
            return wish.state in CREATABLE
        return (
            wish.state in CREATABLE_BY_ANYONE
            and wish.carrier_module in {None, LOCAL_CARRIER}
            and wish.account_id in self.rights.own
        )

    def _make(self, wish: Wish) -> NumberRecord:
        return NumberRecord(
            number=wish.number,
            account_id=wish.account_id,
            state=wish.state,
            created_at=self.now,
            modified_at=self.now,
            carrier_module=wish.carrier_module or LOCAL_CARRIER,
            ported_in=bool(wish.ported_in),
            features=wish.features,
        )

    def _remake(self, wish: Wish, before: NumberRecord) -> NumberRecord:
        moved = before.account_id not in {None, wish.account_id}
        return NumberRecord(
            number=wish.number,
            account_id=wish.account_id,
            state=wish.state,
            created_at=before.created_at,
            modified_at=self.now,
            carrier_module=wish.carrier_module or before.carrier_module,
            ported_in=before.ported_in if wish.ported_in is None else wish.ported_in,
            features=merge_features(before.features, wish.features),
            previously_assigned_to=before.account_id if moved else before.previously_assigned_to,
            used_by=None if moved else before.used_by,
        )

    def write(self) -> None:
        """Write what the rows came to: new numbers, changed ones, and the register."""
        using = self.context.database
        new = [record for number, record in self.touched.items() if number not in self.old]
        changed = [record for number, record in self.touched.items() if number in self.old]
        insert_records(new, using=using)
        update_records(changed, using=using)
        add_changes(self._list_changes(), using=using)

    def _list_changes(self) -> list[Change]:
        """Return what the register is told, in the order of the rows."""
        action, now = self.action, self.now
        by_account, task_id = self.context.auth_account_id, self.context.task_id
        return [
            Change(
                after.number,
                action,
                before.state if before else None,
                after.state,
                before.account_id if before else None,
                after.account_id,
                by_account,
                task_id,
                now,
            )
            for before, after in self.played
        ]
