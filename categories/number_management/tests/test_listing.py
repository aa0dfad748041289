import pytest

from categories.database import copy_out
from categories.number_management.actions import listing
from categories.number_management.actions.listing import List, ListAll
from categories.number_management.models import PhoneNumber
from categories.number_management.states import NumberState
from categories.number_management.tests.factories import PhoneNumberFactory
from categories.testing import run_action
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


def test_list_shows_the_accounts_own_numbers_in_order() -> None:
    account = AccountFactory.create()
    for number in ("+442079460003", "+442079460001"):
        PhoneNumberFactory.create(number=number, account=account)
    PhoneNumberFactory.create(account=AccountFactory.create(parent=account))
    PhoneNumberFactory.create(state=NumberState.AVAILABLE)

    ran = run_action(List, account=account)

    assert [cells["e164"] for cells in ran.cells] == ["+442079460001", "+442079460003"]
    assert {cells["account_name"] for cells in ran.cells} == {account.name}


def test_list_all_shows_numbers_of_all_accounts_below() -> None:
    top = AccountFactory.create()
    middle = AccountFactory.create(parent=top)
    bottom = AccountFactory.create(parent=middle)
    stranger = AccountFactory.create()
    for account in (top, middle, bottom, stranger):
        PhoneNumberFactory.create_batch(2, account=account)

    ran = run_action(ListAll, account=middle)

    assert {cells["account_id"] for cells in ran.cells} == {middle.pk, bottom.pk}
    assert len(ran.lines) == 4


@pytest.mark.parametrize("page_size", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("action", [List, ListAll])
def test_pages_neither_lose_nor_repeat(
    action: type[listing.Listing], page_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FIRST_ROWS", page_size)
    monkeypatch.setattr(copy_out, "MAX_GROWTH", 1)
    parent = AccountFactory.create()
    child = AccountFactory.create(parent=parent)
    for account in (parent, child, parent, child, child, parent):
        PhoneNumberFactory.create(account=account)
    expected = PhoneNumber.objects.all() if action is ListAll else PhoneNumber.objects.of(parent.pk)

    ran = run_action(action, account=parent)

    numbers = [cells["e164"] for cells in ran.cells]
    assert sorted(numbers) == sorted(expected.values_list("number", flat=True))


def test_an_account_without_numbers_has_an_empty_list() -> None:
    ran = run_action(ListAll, account=AccountFactory.create())

    assert ran.lines == []
    assert ran.header[0] == "e164"
