import pytest

from categories.number_management.actions.delete import Delete
from categories.number_management.models import NumberChange, PhoneNumber
from categories.number_management.states import NumberState
from categories.number_management.tests.factories import (
    NOW,
    NUMBER,
    PhoneNumberFactory,
    make_superadmin,
)
from categories.testing import Ran, run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


def delete(*numbers: str, by: Account) -> Ran:
    return run_action(Delete, [{"e164": number} for number in numbers], account=by, now=NOW)


def test_only_the_super_duper_admin_is_permitted() -> None:
    PhoneNumberFactory.create(number=NUMBER)

    ran = delete(NUMBER, by=AccountFactory.create())

    assert ran.refused == "requestor is unauthorized to perform operation"
    assert ran.lines == []
    assert PhoneNumber.objects.count() == 1


@pytest.mark.parametrize("state", NumberState)
def test_a_number_is_removed_whatever_its_state(state: NumberState) -> None:
    PhoneNumberFactory.create(number=NUMBER, state=state)

    ran = delete(NUMBER, by=make_superadmin())

    assert ran.failures == []
    assert ran.cells[0]["state"] == "deleted"
    assert not PhoneNumber.objects.exists()


def test_the_register_outlives_the_number() -> None:
    number = PhoneNumberFactory.create(number=NUMBER)
    admin = make_superadmin()

    delete(NUMBER, by=admin)

    change = NumberChange.objects.get()
    assert (change.number, change.action, change.from_state, change.to_state) == (
        NUMBER, "delete", "in_service", "deleted",
    )  # fmt: skip
    assert (change.from_account, change.to_account) == (number.account_id, None)
    assert change.by_account == admin.pk


def test_a_second_row_of_the_number_finds_it_gone() -> None:
    PhoneNumberFactory.create(number=NUMBER)

    ran = delete(NUMBER, NUMBER, by=make_superadmin())

    assert ran.failures == [f"number {NUMBER} not found"]
