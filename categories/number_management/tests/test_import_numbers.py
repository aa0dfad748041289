from typing import Any

import pytest

from categories.number_management.actions.import_numbers import ImportNumbers
from categories.number_management.actions.listing import List
from categories.number_management.columns import NUMBER_COLUMNS
from categories.number_management.models import PhoneNumber
from categories.number_management.tests.factories import (
    NOW,
    NUMBER,
    PhoneNumberFactory,
    as_now,
    make_superadmin,
)
from categories.testing import Ran, run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

UNAUTHORIZED = "requestor is unauthorized to perform operation"


def import_(*rows: dict[str, Any], by: Account, account: Account | None = None) -> Ran:
    return run_action(ImportNumbers, rows, account=account or by, auth_account=by, now=NOW)


def test_it_takes_the_26_columns_and_needs_e164() -> None:
    assert len(ImportNumbers.columns) == 26
    assert [column.name for column in ImportNumbers.columns if column.mandatory] == ["e164"]


def test_the_number_goes_to_the_tasks_account_by_default() -> None:
    parent = AccountFactory.create()
    child = AccountFactory.create(parent=parent, name="Cafe")

    ran = import_({"e164": NUMBER}, by=parent, account=child)

    assert as_now(NUMBER)["account_id"] == child.pk
    assert ran.header == [*(column.name for column in NUMBER_COLUMNS), "error"]
    (cells,) = ran.cells
    assert {name: text for name, text in cells.items() if text} == {
        "e164": NUMBER,
        "account_name": "Cafe",
        "account_id": child.pk,
        "state": "in_service",
        "created": "63962668800",
        "modified": "63962668800",
        "ported_in": "false",
        "carrier_module": "knm_local",
    }


def test_state_and_carrier_are_the_super_duper_admins_to_choose() -> None:
    admin = make_superadmin()

    ran = import_(
        {"e164": NUMBER, "state": "reserved", "carrier_module": "knm_telnyx"},
        {"e164": "+14150000001", "state": "available"},
        by=admin,
    )

    assert ran.failures == []
    assert (as_now(NUMBER)["state"], as_now(NUMBER)["account_id"]) == ("reserved", admin.pk)
    assert as_now(NUMBER)["carrier_module"] == "knm_telnyx"
    assert as_now("+14150000001")["account_id"] is None


def test_the_state_and_carrier_of_other_accounts_files_are_ignored() -> None:
    account = AccountFactory.create()

    ran = import_(
        {"e164": NUMBER, "state": "reserved", "carrier_module": "knm_telnyx"},
        {"e164": "+14150000001", "state": "available"},
        by=account,
    )

    shown = [(c["error"], c["state"], c["carrier_module"], c["account_id"]) for c in ran.cells]
    assert shown == [("", "in_service", "knm_local", account.pk)] * 2


def test_an_account_that_may_not_create_numbers_is_refused() -> None:
    account = AccountFactory.create(allows_number_additions=False)

    assert import_({"e164": NUMBER}, by=account).failures == [UNAUTHORIZED]


@pytest.mark.parametrize("number", ["+911", "+112", "+999999999999999", "+1415721523"])
def test_emergency_test_and_incomplete_numbers_are_refused(number: str) -> None:
    ran = import_({"e164": number}, by=make_superadmin())

    assert ran.failures == [f"number {number} is not reconcilable"]


@pytest.mark.parametrize("state", ["deleted", "discovery", "released", "port_out"])
def test_some_states_are_nobodys_to_choose(state: str) -> None:
    ran = import_({"e164": NUMBER, "state": state}, by=make_superadmin())

    assert ran.failures == [UNAUTHORIZED]


def test_a_state_without_account_refuses_one() -> None:
    admin = make_superadmin()

    ran = import_({"e164": NUMBER, "state": "available", "account_id": admin.pk}, by=admin)

    assert ran.failures == ["invalid account to assign to"]


def test_a_failed_row_shows_its_own_cells() -> None:
    PhoneNumberFactory.create(number=NUMBER)
    account = AccountFactory.create()

    ran = import_({"e164": NUMBER, "cnam.outbound": "Cafe"}, by=account)

    (cells,) = ran.cells
    assert cells["e164"] == NUMBER
    assert cells["cnam.outbound"] == "Cafe"
    assert cells["error"] == f"number {NUMBER} already exists"


def test_what_list_writes_can_be_imported_again() -> None:
    account = AccountFactory.create()
    features = {"cnam": {"inbound_lookup": False}, "failover": {"e164": "+14150000009"}}
    PhoneNumberFactory.create(number=NUMBER, account=account, features=features, ported_in=True)
    listed = run_action(List, account=account)
    PhoneNumber.objects.all().delete()

    ran = import_(*listed.cells, by=account)

    assert ran.failures == []
    assert as_now(NUMBER)["features"] == features
    assert as_now(NUMBER)["ported_in"] is True
    assert run_action(List, account=account).lines == listed.lines
