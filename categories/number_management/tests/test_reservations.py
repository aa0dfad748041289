"""Whose is a number that several accounts have reserved?"""

import pytest

from categories.number_management.actions.moving import AssignTo, Release, Reserve
from categories.number_management.models import PhoneNumber
from categories.number_management.states import NumberState
from categories.number_management.tests.factories import (
    NUMBER,
    PhoneNumberFactory,
    as_now,
    make_superadmin,
)
from categories.testing import run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


def reserve(account: Account, *, by: Account) -> list[str]:
    return run_action(Reserve, [{"e164": NUMBER}], account=account, auth_account=by).failures


def assign(account: Account, *, by: Account) -> list[str]:
    return run_action(AssignTo, [{"e164": NUMBER}], account=account, auth_account=by).failures


def release(*, by: Account) -> list[str]:
    return run_action(Release, [{"e164": NUMBER}], account=by).failures


def state_and_holder() -> tuple[str, str | None]:
    now = as_now(NUMBER)
    return now["state"], now["account_id"]


def make_line() -> list[Account]:
    """Return an account, one below it, and one below that, before an available number."""
    PhoneNumberFactory.create(
        number=NUMBER, state=NumberState.AVAILABLE, carrier_module="knm_telnyx"
    )
    top = AccountFactory.create()
    middle = AccountFactory.create(parent=top)
    return [top, middle, AccountFactory.create(parent=middle)]


def test_a_released_number_goes_back_along_those_who_reserved_it() -> None:
    top, middle, bottom = make_line()
    for account in (top, middle, bottom):
        assert reserve(account, by=top) == []

    holders = []
    for account in (bottom, middle, top):
        assert release(by=account) == []
        holders.append(state_and_holder())

    assert holders == [("reserved", middle.pk), ("reserved", top.pk), ("available", None)]
    assert as_now(NUMBER)["reservations"] is None


def test_a_child_takes_what_its_parent_reserved_and_gives_it_back() -> None:
    top, middle, bottom = make_line()
    reserve(top, by=top)

    too_far_below = assign(bottom, by=bottom)
    taken = assign(middle, by=middle)
    in_between = state_and_holder()
    given_back = release(by=middle)

    assert too_far_below == ["requestor is unauthorized to perform operation"]
    assert (taken, given_back) == ([], [])
    assert in_between == ("in_service", middle.pk)
    assert state_and_holder() == ("reserved", top.pk)
    assert as_now(NUMBER)["previously_assigned_to"] == middle.pk


def test_who_reserved_it_and_put_it_in_service_gives_it_back_at_once() -> None:
    top, middle, _ = make_line()
    reserve(top, by=top)
    reserve(middle, by=top)
    assign(middle, by=middle)

    release(by=middle)

    assert state_and_holder() == ("reserved", top.pk)


def test_who_reserves_a_number_again_is_remembered_once() -> None:
    top, middle, _ = make_line()
    for account in (top, middle, top):
        assert reserve(account, by=top) == []

    assert as_now(NUMBER)["reservations"].split() == [top.pk, middle.pk]
    release(by=top)
    assert state_and_holder() == ("reserved", middle.pk)


def test_the_admin_releases_for_the_holder() -> None:
    top, middle, _ = make_line()
    reserve(top, by=top)
    reserve(middle, by=top)

    release(by=make_superadmin())

    assert state_and_holder() == ("reserved", top.pk)


def test_an_account_that_is_gone_gets_nothing_back() -> None:
    top, middle, _ = make_line()
    reserve(middle, by=top)
    PhoneNumber.objects.update(reservations=f"{middle.pk} {'f' * 32} {top.pk}")

    release(by=middle)

    assert state_and_holder() == ("reserved", top.pk)


def test_a_release_clears_the_public_fields() -> None:
    top, middle, _ = make_line()
    reserve(top, by=top)
    reserve(middle, by=top)
    PhoneNumber.objects.update(features={"cnam": {"display_name": "Cafe"}}, used_by="callflow")

    ran = run_action(Release, [{"e164": NUMBER}], account=middle)

    assert (as_now(NUMBER)["features"], as_now(NUMBER)["used_by"]) == ({}, None)
    assert ran.cells[0]["cnam.outbound"] == ""
    assert ran.cells[0]["account_name"] == top.name


def test_numbers_of_one_file_are_moved_one_row_after_the_other() -> None:
    top, middle, _ = make_line()
    rows = [{"e164": NUMBER, "account_id": account.pk} for account in (top, top, middle, top)]

    ran = run_action(Reserve, rows, account=top)

    assert [line[-1] for line in ran.lines] == ["", "no change required", "", ""]
    assert as_now(NUMBER)["reservations"].split() == [top.pk, middle.pk]


@pytest.mark.parametrize("state", ["available", "aging", "released"])
def test_an_installation_chooses_the_state_of_released_numbers(state: str) -> None:
    number = PhoneNumberFactory.create(number=NUMBER, carrier_module="knm_telnyx")
    local = PhoneNumberFactory.create(account=number.account)
    rows = [{"e164": NUMBER}, {"e164": local.number}]

    run_action(Release, rows, account=number.account, settings={"released_state": state})

    assert state_and_holder() == (state, None)
    assert as_now(local.number)["state"] == "deleted"


def test_a_number_that_is_released_already_needs_no_release() -> None:
    PhoneNumberFactory.create(number=NUMBER, state="released", carrier_module="knm_telnyx")

    ran = run_action(
        Release,
        [{"e164": NUMBER}],
        account=make_superadmin(),
        settings={"released_state": "released"},
    )

    assert ran.failures == ["no change required"]
