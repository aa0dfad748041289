"""The actions `assign_to`, `reserve` and `release`, which move numbers between accounts."""

from __future__ import annotations

from collections.abc import Sequence

from categories.contract import Row
from categories.number_management import moving
from categories.number_management.actions.changing import Change, ChangeNumbers, MoveNumbers
from categories.number_management.batches import NumberBatch
from categories.number_management.errors import (
    ASSIGNING,
    INVALID_TRANSITION,
    MISSING,
    NO_CHANGE,
    UNAUTHORIZED,
)


class AssignTo(MoveNumbers):
    """Put existing numbers in service with an account.

    Anybody may take a number that is available, aging or in discovery, and one that the account
    above has reserved. Other numbers are moved between accounts on which the token may act.
    A number that is in service with the account already succeeds unchanged.
    """

    errors = ASSIGNING

    def find_change(self, rows: Sequence[Row], batch: NumberBatch) -> Change:
        """Return the move to the row's account."""
        default, rights, now = batch.context.account_id, batch.rights, batch.second
        return lambda row, before: moving.put_in_service(
            before, row.account_id or default, rights, now
        )


class Reserve(MoveNumbers):
    """Reserve existing numbers for an account.

    Anybody may reserve a number that is available or in discovery. One that is reserved or in
    service can be reserved for another account by those who may act on both; when it is released,
    it goes back to who reserved it before.
    """

    errors = (*ASSIGNING, NO_CHANGE)

    def find_change(self, rows: Sequence[Row], batch: NumberBatch) -> Change:
        """Return the reservation for the row's account."""
        default, rights, now = batch.context.account_id, batch.rights, batch.second
        return lambda row, before: moving.reserve(before, row.account_id or default, rights, now)


class Release(ChangeNumbers):
    """Give numbers back; their features are cleared.

    A number goes back to the account that reserved it before its present one, as `reserved`. If
    there is none, a number of knm_local or knm_mdn becomes `deleted`, and a daily job removes it;
    any other becomes `available`, or what the installation chose for the setting `released_state`.
    """

    errors = (*MISSING, UNAUTHORIZED, INVALID_TRANSITION, NO_CHANGE)
    written = (*MoveNumbers.written, "features")

    def find_change(self, rows: Sequence[Row], batch: NumberBatch) -> Change:
        """Return the release."""
        rights, now = batch.rights, batch.second
        state = batch.context.settings.released_state
        return lambda _row, before: moving.release(before, rights, now, released_state=state)
