"""Who may read and change which ratedecks?"""

import pytest

from categories.contract import Refused
from categories.rates.access import find_owner, find_unknown_accounts, require_permission
from categories.rates.tests.factories import make_context
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Account:
    return AccountFactory(is_superadmin=True)


@pytest.fixture
def reseller(admin: Account) -> Account:
    return AccountFactory(parent=admin, is_reseller=True)


@pytest.fixture
def customer(reseller: Account) -> Account:
    return AccountFactory(parent=reseller)


def test_a_super_duper_admin_may_for_any_account(
    admin: Account, reseller: Account, customer: Account
) -> None:
    for account in (admin, reseller, customer):
        require_permission(make_context(account, admin))


def test_a_reseller_may_for_itself_and_for_resellers_below(reseller: Account) -> None:
    below = AccountFactory(parent=reseller, is_reseller=True)

    require_permission(make_context(reseller))
    require_permission(make_context(below, reseller))


def test_nobody_may_for_an_account_that_is_no_reseller(
    reseller: Account, customer: Account
) -> None:
    for creator in (customer, reseller):
        with pytest.raises(Refused, match=r"^task execution is forbidden$"):
            require_permission(make_context(customer, creator))


def test_a_reseller_may_not_above_or_beside_itself(admin: Account, reseller: Account) -> None:
    beside = AccountFactory(parent=admin, is_reseller=True)

    for account in (admin, beside):
        with pytest.raises(Refused, match=r"^task execution is forbidden$"):
            require_permission(make_context(account, reseller))


def test_a_super_duper_admin_works_on_the_decks_of_the_system(
    admin: Account, customer: Account
) -> None:
    assert find_owner(make_context(admin)) is None
    assert find_owner(make_context(customer, admin)) is None


def test_a_super_duper_admin_works_on_the_decks_of_the_reseller_it_names(
    admin: Account, reseller: Account
) -> None:
    assert find_owner(make_context(reseller, admin)) == reseller


@pytest.mark.parametrize("is_reseller", [True, False])
def test_nobody_else_reaches_the_decks_of_the_system(*, is_reseller: bool) -> None:
    root = AccountFactory(is_reseller=is_reseller)
    misplaced = AccountFactory(parent=root, is_superadmin=True)

    for account in (root, misplaced):
        assert find_owner(make_context(account, root)) == account


def test_rates_are_meant_for_accounts_of_the_owners_tree(
    admin: Account, reseller: Account, customer: Account
) -> None:
    stranger = AccountFactory(parent=admin)
    named = {reseller.pk, customer.pk, stranger.pk, "f" * 32, None}

    assert find_unknown_accounts(named, reseller, "default") == {stranger.pk, "f" * 32}
    assert find_unknown_accounts(named, None, "default") == {"f" * 32}
