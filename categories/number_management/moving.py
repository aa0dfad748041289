"""Moves existing numbers between accounts and states, by the table of transitions (states.py).

`now` is in Gregorian seconds.
"""

from __future__ import annotations

from categories.contract import RowFailed
from categories.number_management.access import Rights
from categories.number_management.carriers import LOCAL_CARRIER, MDN_CARRIER, REMOVED_CARRIERS
from categories.number_management.errors import (
    INVALID_ACCOUNT,
    INVALID_TRANSITION,
    NO_CHANGE,
    UNAUTHORIZED,
)
from categories.number_management.records import NO_FEATURES, NumberRecord
from categories.number_management.states import MOVES, RELEASABLE, NumberState


def put_in_service(before: NumberRecord, account_id: str, rights: Rights, now: int) -> NumberRecord:
    """Return the number in service with the account; raise RowFailed if it cannot be."""
    check_sight(before, account_id, rights)
    if before.state == NumberState.IN_SERVICE and before.account_id == account_id:
        return before
    check_move(before, NumberState.IN_SERVICE)
    is_taken = before.account_id is not None and not rights.may_act_on(before.account_id)
    if is_taken and not rights.is_kept_by_parent(before):
        raise RowFailed(UNAUTHORIZED)
    return move(before, account_id, NumberState.IN_SERVICE, before.reservations, now)


def reserve(before: NumberRecord, account_id: str, rights: Rights, now: int) -> NumberRecord:
    """Return the number reserved for the account; raise RowFailed if it cannot be.

    Those who reserved it before stay remembered, each once.
    """
    check_sight(before, account_id, rights)
    if before.state == NumberState.RESERVED and before.account_id == account_id:
        raise RowFailed(NO_CHANGE)
    check_move(before, NumberState.RESERVED)
    if before.account_id is not None and not rights.may_act_on(before.account_id):
        raise RowFailed(UNAUTHORIZED)
    others = [id_ for id_ in before.reserved_by if id_ != account_id]
    reservations = " ".join([account_id, *others])
    return move(before, account_id, NumberState.RESERVED, reservations, now)


def release(before: NumberRecord, rights: Rights, now: int, *, released_state: str) -> NumberRecord:
    """Return the number given back, without features; raise RowFailed if it cannot be.

    It goes back to the account that reserved it before its present one, as reserved. If there is
    none, it becomes `deleted` or goes into `released_state`, depending on its carrier.
    """
    if not rights.may_see(before):
        raise RowFailed(UNAUTHORIZED)
    if before.state not in RELEASABLE and before.carrier_module != LOCAL_CARRIER:
        raise RowFailed(INVALID_TRANSITION)
    if not rights.may_act_on(before.account_id):
        raise RowFailed(UNAUTHORIZED)
    others = [id_ for id_ in before.reserved_by if id_ != before.account_id and id_ in rights.names]
    if others:
        holder, state = others[0], NumberState.RESERVED
    else:
        is_removed = before.carrier_module in REMOVED_CARRIERS
        holder, state = None, NumberState.DELETED if is_removed else NumberState(released_state)
    if (holder, state) == (before.account_id, before.state):
        raise RowFailed(NO_CHANGE)
    after = move(before, holder, state, " ".join(others) or None, now)
    return after._replace(features=NO_FEATURES)


def check_sight(before: NumberRecord, account_id: str, rights: Rights) -> None:
    """Raise RowFailed unless the account exists and may be given this number."""
    if account_id not in rights.names:
        raise RowFailed(INVALID_ACCOUNT)
    if not (rights.may_act_on(account_id) and rights.may_see(before, account_id)):
        raise RowFailed(UNAUTHORIZED)


def check_move(before: NumberRecord, state: NumberState) -> None:
    """Raise RowFailed if the number cannot come into the state. An outside system moves MDNs."""
    if before.state not in MOVES[state] or before.carrier_module == MDN_CARRIER:
        raise RowFailed(INVALID_TRANSITION)


def move(
    before: NumberRecord,
    account_id: str | None,
    state: NumberState,
    reservations: str | None,
    now: int,
) -> NumberRecord:
    """Return the number with another account or state, without checks."""
    left, user = before.previously_assigned_to, before.used_by
    if before.account_id not in {None, account_id}:
        left, user = before.account_id, None
    # by place, because names take several times as long
    return NumberRecord._make(
        (
            before.number,
            account_id,
            state,
            before.created,
            now,
            before.carrier_module,
            before.ported_in,
            left,
            user,
            reservations,
            before.features,
        )
    )
