"""Creates numbers for `add` and `import`, a batch at a time.

It simulates the batch in memory, row by row, on the existing records, and then writes the result.
So rows for the same number behave as if each was written before the next.
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
from categories.number_management.changes import Change, add_changes
from categories.number_management.columns import merge_features
from categories.number_management.records import (
    NumberRecord,
    insert_records,
    read_records,
    update_records,
)
from categories.number_management.states import (
    ASSIGNED,
    CREATABLE,
    CREATABLE_BY_ANYONE,
    RECREATED,
    NumberState,
)

MAX_ATTEMPTS = 3  # to write a batch, if other tasks add the same numbers meanwhile


@dataclass(slots=True)
class NumberRequest:
    """A row's request for a number, with its account, state and features."""

    number: str
    account_id: str | None
    state: str = NumberState.IN_SERVICE
    carrier_module: str | None = None  # None: unchanged, or the default
    ported_in: bool | None = None
    features: dict[str, Any] = field(default_factory=dict)


def create_numbers(
    requests: Sequence[NumberRequest], context: Context, *, action: str
) -> list[NumberRecord | RowFailed]:
    """Create the numbers; return each row's new record, or its failure.

    If another task commits one of the numbers meanwhile, the database refuses the whole write.
    Then the write is rolled back, and the batch is simulated again on the current records.
    """
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            with transaction.atomic(using=context.database):
                batch = Batch(requests, context, action=action)
                outcomes = batch.simulate()
                batch.write()
        except IntegrityError:
            if attempt == MAX_ATTEMPTS:
                raise
        else:
            return outcomes
    raise AssertionError("the last attempt returns or raises")


class Batch:
    """The numbers of one batch, in their state after the rows simulated so far."""

    def __init__(self, requests: Sequence[NumberRequest], context: Context, *, action: str) -> None:
        self.requests = requests
        self.context = context
        self.action = action
        self.now: datetime = context.now()
        numbers = {request.number for request in requests}
        self.records = read_records(numbers, using=context.database, lock=True)
        self.old = frozenset(self.records)
        self.touched: dict[str, NumberRecord] = {}
        self.changes: list[tuple[NumberRecord | None, NumberRecord]] = []  # before and after
        # (account, state, carrier module) -> reason or ""; cached, because most rows are alike
        self.refusals: dict[tuple[str | None, str, str | None], str] = {}
        holders = {record.account_id for record in self.records.values()}
        accounts = holders | {request.account_id for request in requests}
        self.rights: Rights = read_rights(context, accounts)

    def simulate(self) -> list[NumberRecord | RowFailed]:
        """Return each row's record or failure."""
        return [self._simulate_row(request) for request in self.requests]

    def _simulate_row(self, request: NumberRequest) -> NumberRecord | RowFailed:
        number = request.number
        before = self.records.get(number)
        reason = self._find_refusal(request)
        if before is not None:
            reason = reason or self._find_conflict(request, before)
        if reason:
            return RowFailed(reason)
        record = self._make_new(request) if before is None else self._make_changed(request, before)
        self.records[number] = self.touched[number] = record
        self.changes.append((before, record))
        return record

    def _find_refusal(self, request: NumberRequest) -> str:
        """Return why no number may be created on these terms; "" if one may."""
        terms = (request.account_id, request.state, request.carrier_module)
        refusal = self.refusals.get(terms)
        if refusal is None:
            refusal = self.refusals[terms] = self._refuse(request)
        return refusal

    def _refuse(self, request: NumberRequest) -> str:
        account_id = request.account_id
        if account_id is not None and account_id not in self.rights.known:
            return f"account {account_id} not found"
        if not self._may_create(request):
            return UNAUTHORIZED
        if (account_id is not None) is not (request.state in ASSIGNED):
            return "invalid account to assign to"
        return ""

    def _find_conflict(self, request: NumberRequest, before: NumberRecord) -> str:
        """Return why this existing number may not be created again; "" if it may."""
        if before.state not in RECREATED:
            return f"number {request.number} already exists"
        if request.state not in RECREATED[NumberState(before.state)]:
            return "invalid state transition"
        if before.account_id is not None and not self.rights.may_act_on(before.account_id):
            return UNAUTHORIZED
        return ""

    def _may_create(self, request: NumberRequest) -> bool:
        if self.rights.is_superadmin:
            return request.state in CREATABLE
        return (
            request.state in CREATABLE_BY_ANYONE
            and request.carrier_module in {None, LOCAL_CARRIER}
            and request.account_id in self.rights.own
        )

    def _make_new(self, request: NumberRequest) -> NumberRecord:
        return NumberRecord(
            number=request.number,
            account_id=request.account_id,
            state=request.state,
            created_at=self.now,
            modified_at=self.now,
            carrier_module=request.carrier_module or LOCAL_CARRIER,
            ported_in=bool(request.ported_in),
            features=request.features,
        )

    def _make_changed(self, request: NumberRequest, before: NumberRecord) -> NumberRecord:
        moved = before.account_id not in {None, request.account_id}
        return NumberRecord(
            number=request.number,
            account_id=request.account_id,
            state=request.state,
            created_at=before.created_at,
            modified_at=self.now,
            carrier_module=request.carrier_module or before.carrier_module,
            ported_in=before.ported_in if request.ported_in is None else request.ported_in,
            features=merge_features(before.features, request.features),
            previously_assigned_to=before.account_id if moved else before.previously_assigned_to,
            used_by=None if moved else before.used_by,
        )

    def write(self) -> None:
        """Write the result: new numbers, changed ones, and their history."""
        using = self.context.database
        new = [record for number, record in self.touched.items() if number not in self.old]
        changed = [record for number, record in self.touched.items() if number in self.old]
        insert_records(new, using=using)
        update_records(changed, using=using)
        add_changes(self._describe_changes(), using=using)

    def _describe_changes(self) -> list[Change]:
        """Return the changes for the history, in the order of the rows."""
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
            for before, after in self.changes
        ]
