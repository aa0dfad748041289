"""Which account may do what to a number, in which state, and what becomes of it?"""

from dataclasses import dataclass
from typing import Any

import pytest

from categories.contract import RowAction
from categories.number_management.actions.moving import AssignTo, Release, Reserve
from categories.number_management.actions.updating import Update, UpdateMerge, UpdateOverwrite
from categories.number_management.models import NumberChange, PhoneNumber
from categories.number_management.states import ASSIGNED, NumberState
from categories.number_management.tests.factories import (
    NOW,
    NUMBER,
    PhoneNumberFactory,
    as_now,
    make_superadmin,
)
from categories.testing import run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

ERRORS = {
    "unauthorized": "requestor is unauthorized to perform operation",
    "invalid": "invalid state transition",
    "same": "no change required",
}
ACTORS = ("holder", "above", "below", "stranger", "admin")


@dataclass
class World:
    """A number's holder, the accounts around it, and the number."""

    holder: Account
    above: Account
    below: Account
    stranger: Account
    admin: Account


def make_world(state: NumberState, carrier_module: str) -> World:
    above = AccountFactory.create()
    holder = AccountFactory.create(parent=above)
    PhoneNumberFactory.create(
        number=NUMBER,
        state=state,
        account=holder if state in ASSIGNED else None,
        carrier_module=carrier_module,
        features={"cnam": {"display_name": "Old"}},
        reservations=holder.pk if state == NumberState.RESERVED else None,
    )
    below = AccountFactory.create(parent=holder)
    return World(holder, above, below, AccountFactory.create(), make_superadmin())


# A word per actor, in the order of ACTORS: an error, or what the number becomes. "done" is the
# state that the action aims at, with the actor's account; "kept" is a success without a change.
ASSIGN_TO = {
    "in_service": "kept done unauthorized unauthorized done",
    "port_in": "done done unauthorized unauthorized done",
    "reserved": "done done done unauthorized done",
    "port_out": "invalid invalid unauthorized unauthorized invalid",
    "available": "done done done done done",
    "aging": "done done done done done",
    "discovery": "done done done done done",
    "released": "invalid invalid invalid invalid invalid",
    "deleted": "invalid invalid invalid invalid invalid",
}
RESERVE = {
    "in_service": "done done unauthorized unauthorized done",
    "port_in": "invalid invalid unauthorized unauthorized invalid",
    "reserved": "same done unauthorized unauthorized done",
    "port_out": "invalid invalid unauthorized unauthorized invalid",
    "available": "done done done done done",
    "aging": "invalid invalid invalid invalid invalid",
    "discovery": "done done done done done",
    "released": "invalid invalid invalid invalid invalid",
    "deleted": "invalid invalid invalid invalid invalid",
}
RELEASE = {
    "in_service": "available available unauthorized unauthorized available",
    "port_in": "available available unauthorized unauthorized available",
    "reserved": "available available unauthorized unauthorized available",
    "port_out": "invalid invalid unauthorized unauthorized invalid",
    "available": "invalid invalid invalid invalid invalid",
    "aging": "unauthorized unauthorized unauthorized unauthorized invalid",
    "discovery": "unauthorized unauthorized unauthorized unauthorized invalid",
    "released": "unauthorized unauthorized unauthorized unauthorized available",
    "deleted": "unauthorized unauthorized unauthorized unauthorized invalid",
}
RELEASE_LOCAL = {
    "in_service": "deleted deleted unauthorized unauthorized deleted",
    "port_in": "deleted deleted unauthorized unauthorized deleted",
    "reserved": "deleted deleted unauthorized unauthorized deleted",
    "port_out": "deleted deleted unauthorized unauthorized deleted",
    "available": "unauthorized unauthorized unauthorized unauthorized deleted",
    "aging": "unauthorized unauthorized unauthorized unauthorized deleted",
    "discovery": "unauthorized unauthorized unauthorized unauthorized deleted",
    "released": "unauthorized unauthorized unauthorized unauthorized deleted",
    "deleted": "unauthorized unauthorized unauthorized unauthorized same",
}
MDN_ASSIGN_TO = {
    "in_service": "kept invalid unauthorized unauthorized invalid",
    "reserved": "invalid invalid invalid unauthorized invalid",
    "available": "invalid invalid invalid invalid invalid",
}
MDN_RESERVE = {
    "in_service": "invalid invalid unauthorized unauthorized invalid",
    "reserved": "same invalid invalid unauthorized invalid",
    "available": "invalid invalid invalid invalid invalid",
}
MDN_RELEASE = {
    "in_service": RELEASE_LOCAL["in_service"],
    "port_out": "invalid invalid unauthorized unauthorized invalid",
    "available": "invalid invalid invalid invalid invalid",
}
UPDATE = dict.fromkeys(ASSIGNED, "kept kept unauthorized unauthorized kept") | dict.fromkeys(
    frozenset(NumberState) - ASSIGNED, "unauthorized unauthorized unauthorized unauthorized kept"
)
TABLES: list[tuple[type[RowAction], str, dict[Any, str]]] = [
    (AssignTo, "knm_telnyx", ASSIGN_TO),
    (AssignTo, "knm_local", ASSIGN_TO),
    (AssignTo, "knm_mdn", MDN_ASSIGN_TO),
    (Reserve, "knm_telnyx", RESERVE),
    (Reserve, "knm_local", RESERVE),
    (Reserve, "knm_mdn", MDN_RESERVE),
    (Release, "knm_telnyx", RELEASE),
    (Release, "knm_local", RELEASE_LOCAL),
    (Release, "knm_mdn", MDN_RELEASE),
    (UpdateMerge, "knm_telnyx", UPDATE),
    (UpdateOverwrite, "knm_telnyx", UPDATE),
]
CASES = [
    (action, carrier, NumberState(state), actor, expected)
    for action, carrier, table in TABLES
    for state, words in table.items()
    for actor, expected in zip(ACTORS, words.split(), strict=True)
]
AIMS = {AssignTo: "in_service", Reserve: "reserved"}


def test_the_tables_are_complete() -> None:
    for table in (ASSIGN_TO, RESERVE, RELEASE, RELEASE_LOCAL, UPDATE):
        assert set(table) == set(NumberState)


@pytest.mark.parametrize(("action", "carrier", "state", "actor", "expected"), CASES)
def test_the_table_of_transitions(
    action: type[RowAction], carrier: str, state: NumberState, actor: str, expected: str
) -> None:
    world = make_world(state, carrier)
    acting: Account = getattr(world, actor)
    before = as_now(NUMBER)
    cells = {"carrier_name": "New"} if issubclass(action, Update) else {}

    ran = run_action(action, [{"e164": NUMBER, **cells}], account=acting, now=NOW)

    after = as_now(NUMBER)
    changes = list(NumberChange.objects.values_list("action", "from_state", "to_state"))
    assert ran.failures == ([ERRORS[expected]] if expected in ERRORS else [])
    if expected in ERRORS:
        assert (after, changes) == (before, [])
        return
    to_state = {"done": AIMS.get(action), "kept": state}.get(expected, expected)
    keeps_account = expected == "kept"
    holder = before["account_id"] if keeps_account else acting.pk if expected == "done" else None
    assert (after["state"], after["account_id"]) == (to_state, holder)
    assert [cells["state"] for cells in ran.cells] == [to_state]
    is_unchanged = action is AssignTo and keeps_account
    assert changes == ([] if is_unchanged else [(action.name, state, to_state)])


@pytest.mark.parametrize("action", [AssignTo, Reserve])
def test_an_account_that_does_not_exist_cannot_be_given_a_number(action: type[RowAction]) -> None:
    admin = make_superadmin()
    PhoneNumberFactory.create(number=NUMBER, state=NumberState.AVAILABLE)

    ran = run_action(action, [{"e164": NUMBER, "account_id": "f" * 32}], account=admin)

    assert ran.failures == ["invalid account to assign to"]


@pytest.mark.parametrize("action", [AssignTo, Reserve])
def test_numbers_are_only_given_to_accounts_on_which_one_may_act(action: type[RowAction]) -> None:
    above = AccountFactory.create()
    account = AccountFactory.create(parent=above)
    PhoneNumberFactory.create(number=NUMBER, state=NumberState.AVAILABLE)

    rows = [{"e164": NUMBER, "account_id": above.pk}]

    assert run_action(action, rows, account=account).failures == [ERRORS["unauthorized"]]


@pytest.mark.parametrize("action", [AssignTo, Reserve])
def test_the_number_goes_to_the_rows_account_or_the_tasks(action: type[RowAction]) -> None:
    parent = AccountFactory.create()
    child, other = AccountFactory.create_batch(2, parent=parent)
    for number in ("+14150000001", "+14150000002"):
        PhoneNumberFactory.create(number=number, account=parent)
    rows = [
        {"e164": "+14150000001", "account_id": other.pk},
        {"e164": "+14150000002", "account_id": ""},
    ]

    ran = run_action(action, rows, account=child, auth_account=parent, now=NOW)

    assert [cells["account_id"] for cells in ran.cells] == [other.pk, child.pk]
    moved = PhoneNumber.objects.order_by("number").values_list(
        "account_id", "previously_assigned_to"
    )
    assert list(moved) == [(other.pk, parent.pk), (child.pk, parent.pk)]


@pytest.mark.parametrize("action", [AssignTo, Reserve, Release, UpdateMerge, UpdateOverwrite])
def test_a_number_that_is_not_there_is_not_found_or_no_number(action: type[RowAction]) -> None:
    rows = [{"e164": number} for number in (NUMBER, "+911", "+112", "+999999999999999")]

    ran = run_action(action, rows, account=make_superadmin())

    assert ran.failures == [
        f"number {NUMBER} not found",
        "number +911 is not reconcilable",
        "number +112 is not reconcilable",
        "number +999999999999999 is not reconcilable",
    ]


@pytest.mark.parametrize("action", [AssignTo, Reserve])
def test_a_move_ends_the_use_by_the_former_account(action: type[RowAction]) -> None:
    parent = AccountFactory.create()
    child = AccountFactory.create(parent=parent)
    features = {"cnam": {"display_name": "Cafe"}}
    PhoneNumberFactory.create(number=NUMBER, account=child, used_by="callflow", features=features)

    run_action(action, [{"e164": NUMBER}], account=parent, now=NOW)

    after = as_now(NUMBER)
    assert (after["used_by"], after["features"]) == (None, features)
    assert after["previously_assigned_to"] == child.pk
    change = NumberChange.objects.get()
    assert (change.from_account, change.to_account, change.by_account) == (
        child.pk, parent.pk, parent.pk,
    )  # fmt: skip
