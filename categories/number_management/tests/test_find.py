from typing import Any

import pytest

from categories.number_management.actions.find import Find
from categories.number_management.states import NumberState
from categories.number_management.tests.factories import (
    NUMBER,
    PhoneNumberFactory,
    make_superadmin,
)
from categories.testing import Ran, run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

UNAUTHORIZED = "requestor is unauthorized to perform operation"
HEADER = (
    "e164,account_name,account_id,previously_assigned_to,state,created,modified,used_by,ported_in,"
    "carrier_module,cnam.inbound,cnam.outbound,e911.locality,e911.name,e911.region,"
    "e911.street_address,e911.extended_address,e911.postal_code,prepend.enabled,prepend.name,"
    "prepend.number,ringback.early,ringback.transfer,force_outbound,failover.e164,failover.sip,"
    "error"
)


def find(*numbers: str, by: Account) -> Ran:
    return run_action(Find, [{"e164": number} for number in numbers], account=by)


def test_the_header_is_the_26_columns_and_error() -> None:
    assert find(NUMBER, by=AccountFactory.create()).header == HEADER.split(",")


def test_a_number_of_the_account_is_shown_with_all_that_is_known() -> None:
    account = AccountFactory.create(name='Cafe "Ann"')
    features: dict[str, Any] = {
        "cnam": {"inbound_lookup": True, "display_name": "Cafe"},
        "e911": {
            "locality": "Dover", "caller_name": "Ann", "region": "DE", "street_address": "1 Main",
            "extended_address": "Flat 2", "postal_code": "19901",
        },
        "prepend": {"enabled": False, "name": "Shop:", "number": "9"},
        "ringback": {"early": "us", "transfer": "fr"},
        "force_outbound": True,
        "failover": {"e164": "+14150000009", "sip": "sip:a@b.example"},
    }  # fmt: skip
    PhoneNumberFactory.create(
        number=NUMBER,
        account=account,
        previously_assigned_to="a" * 32,
        used_by="callflow",
        carrier_module="knm_telnyx",
        features=features,
    )

    ran = find(NUMBER, by=account)

    assert ran.lines == [
        [
            NUMBER, 'Cafe "Ann"', account.pk, "a" * 32, "in_service", "63962668800", "63962668800",
            "callflow", "false", "knm_telnyx", "true", "Cafe", "Dover", "Ann", "DE", "1 Main",
            "Flat 2", "19901", "false", "Shop:", "9", "us", "fr", "true", "+14150000009",
            "sip:a@b.example", "",
        ]
    ]  # fmt: skip


def test_an_unknown_number_is_not_found() -> None:
    ran = find(NUMBER, by=AccountFactory.create())

    assert ran.cells[0]["e164"] == NUMBER
    assert ran.failures == [f"number {NUMBER} not found"]


@pytest.mark.parametrize(
    ("state", "is_seen"),
    [(state, state == NumberState.AVAILABLE) for state in NumberState],
)
def test_of_strangers_numbers_only_available_ones_are_seen(
    state: NumberState, is_seen: bool
) -> None:
    PhoneNumberFactory.create(number=NUMBER, state=state)

    ran = find(NUMBER, by=AccountFactory.create())

    assert ran.failures == ([] if is_seen else [UNAUTHORIZED])


@pytest.mark.parametrize("state", NumberState)
def test_the_super_duper_admin_sees_everything(state: NumberState) -> None:
    PhoneNumberFactory.create(number=NUMBER, state=state)

    assert find(NUMBER, by=make_superadmin()).failures == []


@pytest.mark.parametrize(
    ("state", "is_seen"), [(NumberState.RESERVED, True), (NumberState.IN_SERVICE, False)]
)
def test_of_the_account_above_reserved_numbers_are_seen(state: NumberState, is_seen: bool) -> None:
    parent = AccountFactory.create()
    child = AccountFactory.create(parent=parent)
    PhoneNumberFactory.create(number=NUMBER, account=parent, state=state)

    assert (find(NUMBER, by=child).failures == []) is is_seen


def test_numbers_of_accounts_below_are_seen() -> None:
    grandparent = AccountFactory.create()
    parent = AccountFactory.create(parent=grandparent)
    PhoneNumberFactory.create(number=NUMBER, account=AccountFactory.create(parent=parent))

    assert find(NUMBER, NUMBER, by=grandparent).failures == []


def test_reserved_numbers_of_strangers_are_not_seen() -> None:
    child = AccountFactory.create(parent=AccountFactory.create())
    PhoneNumberFactory.create(number=NUMBER, state=NumberState.RESERVED)

    assert find(NUMBER, by=child).failures == [UNAUTHORIZED]
