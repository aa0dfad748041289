"""Creates numbers for `add` and `import`, a batch at a time.

It simulates the batch in memory, row by row, on the existing records, and then writes the result.
So rows for the same number behave as if each was written before the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from categories.contract import Context, RowFailed
from categories.number_management.batches import NumberBatch
from categories.number_management.carriers import LOCAL_CARRIER
from categories.number_management.columns import merge_features
from categories.number_management.errors import (
    ALREADY_EXISTS,
    INVALID_ACCOUNT,
    INVALID_TRANSITION,
    IS_PORTING,
    NO_ACCOUNT,
    NOT_RECONCILABLE,
    UNAUTHORIZED,
)
from categories.number_management.reconcilable import is_reconcilable
from categories.number_management.records import NumberRecord
from categories.number_management.states import (
    ASSIGNED,
    CREATABLE,
    CREATABLE_BY_ANYONE,
    RECREATED,
    NumberState,
)

WRITTEN = (
    "account_id", "state", "carrier_module", "ported_in", "features",
    "previously_assigned_to", "used_by", "reservations",
)  # fmt: skip
MAX_ATTEMPTS = 3  # to write a batch, if other tasks add the same numbers meanwhile


@dataclass(slots=True)
class NumberRequest:
    """A row's request for a number, with its account, state and features."""

    number: str
    account_id: str | None
    state: str = NumberState.IN_SERVICE
    carrier_module: str | None = None  # None: unchanged, or the default
    ported_in: bool | None = None
    features: Mapping[str, Any] = field(default_factory=dict)


def create_numbers(
    requests: Sequence[NumberRequest], context: Context, *, action: str
) -> tuple[NumberBatch, list[NumberRecord | RowFailed]]:
    """Create the numbers; return their batch, and each row's new record or failure.

    If another task commits one of the numbers meanwhile, the database refuses the whole write.
    Then the write is rolled back, and the batch is simulated again on the current records.
    """
    numbers = {request.number for request in requests}
    accounts = {request.account_id for request in requests}
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            with transaction.atomic(using=context.database):
                batch = NumberBatch(numbers, accounts, context, action=action)
                outcomes = Creation(batch).simulate(requests)
                batch.write(WRITTEN)
        except IntegrityError:
            if attempt == MAX_ATTEMPTS:
                raise
        else:
            return batch, outcomes
    raise AssertionError("the last attempt returns or raises")


class Creation:
    """The creation of a batch's numbers, by the rules for new and for existing ones."""

    def __init__(self, batch: NumberBatch) -> None:
        self.batch = batch
        self.rights = batch.rights
        # (account, state, carrier module) -> reason or ""; cached, because most rows are alike
        self.refusals: dict[tuple[str | None, str, str | None], str] = {}

    def simulate(self, requests: Sequence[NumberRequest]) -> list[NumberRecord | RowFailed]:
        """Return each row's record or failure."""
        return [self._simulate_row(request) for request in requests]

    def _simulate_row(self, request: NumberRequest) -> NumberRecord | RowFailed:
        number = request.number
        before = self.batch.records.get(number)
        reason = self._find_refusal(request)
        if before is not None:
            reason = reason or self._find_conflict(request, before)
        if reason:
            return RowFailed(reason)
        record = self._make_new(request) if before is None else self._make_changed(request, before)
        self.batch.put(before, record)
        return record

    def _find_refusal(self, request: NumberRequest) -> str:
        """Return why the number may not be created on these terms; "" if it may."""
        if not is_reconcilable(request.number):
            return NOT_RECONCILABLE.format(number=request.number)
        terms = (request.account_id, request.state, request.carrier_module)
        refusal = self.refusals.get(terms)
        if refusal is None:
            refusal = self.refusals[terms] = self._refuse(request)
        return refusal

    def _refuse(self, request: NumberRequest) -> str:
        account_id = request.account_id
        if account_id is not None and account_id not in self.rights.names:
            return NO_ACCOUNT.format(account_id=account_id)
        if not self._may_create(request):
            return UNAUTHORIZED
        if (account_id is not None) is not (request.state in ASSIGNED):
            return INVALID_ACCOUNT
        return ""

    def _find_conflict(self, request: NumberRequest, before: NumberRecord) -> str:
        """Return why this existing number may not be created again; "" if it may."""
        is_own = before.account_id is None or self.rights.may_act_on(before.account_id)
        if before.state == NumberState.PORT_OUT or (
            before.state == NumberState.PORT_IN and not is_own
        ):
            return IS_PORTING.format(number=request.number)
        if before.state not in RECREATED:
            return ALREADY_EXISTS.format(number=request.number)
        if request.state not in RECREATED[NumberState(before.state)]:
            return INVALID_TRANSITION
        keeps_carrier = request.carrier_module in {None, before.carrier_module}
        return "" if keeps_carrier or self.rights.is_superadmin else UNAUTHORIZED

    def _may_create(self, request: NumberRequest) -> bool:
        if self.rights.is_superadmin:
            return request.state in CREATABLE
        return (
            self.rights.may_create
            and request.state in CREATABLE_BY_ANYONE
            and request.carrier_module in {None, LOCAL_CARRIER}
            and request.account_id in self.rights.own
        )

    def _make_new(self, request: NumberRequest) -> NumberRecord:
        # by place, because names take twice as long
        return NumberRecord._make(
            (
                request.number,
                request.account_id,
                request.state,
                self.batch.second,
                self.batch.second,
                request.carrier_module or LOCAL_CARRIER,
                bool(request.ported_in),
                None,  # previously_assigned_to
                None,  # used_by
                request.account_id if request.state == NumberState.RESERVED else None,
                request.features,
            )
        )

    def _make_changed(self, request: NumberRequest, before: NumberRecord) -> NumberRecord:
        moved = before.account_id not in {None, request.account_id}
        return before._replace(
            account_id=request.account_id,
            state=request.state,
            modified=self.batch.second,
            carrier_module=request.carrier_module or before.carrier_module,
            ported_in=before.ported_in if request.ported_in is None else request.ported_in,
            features=merge_features(before.features, request.features),
            previously_assigned_to=before.account_id if moved else before.previously_assigned_to,
            used_by=None if moved else before.used_by,
            reservations=request.account_id if request.state == NumberState.RESERVED else None,
        )
