from typing import Any

import pytest

from piston.accounts.errors import InvalidCredentials, NotPermitted, UnknownAccount
from piston.accounts.models import Account
from piston.accounts.permissions import find_account, may_act_on
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def family() -> dict[str, Account]:
    root = AccountFactory()
    actor = AccountFactory(parent=root)
    child = AccountFactory(parent=actor)
    return {
        "parent": root,
        "itself": actor,
        "child": child,
        "grandchild": AccountFactory(parent=child),
        "sibling": AccountFactory(parent=root),
        "stranger": AccountFactory(),
    }


PERMITTED = ["itself", "child", "grandchild"]
REFUSED = ["parent", "sibling", "stranger"]


@pytest.mark.parametrize("target", PERMITTED)
def test_an_account_acts_on_itself_and_below(target: str, family: dict[str, Account]) -> None:
    assert may_act_on(family["itself"], family[target])
    assert find_account(family["itself"], family[target].pk) == family[target]


@pytest.mark.parametrize("target", REFUSED)
def test_an_account_never_acts_beside_or_above(target: str, family: dict[str, Account]) -> None:
    assert not may_act_on(family["itself"], family[target])
    with pytest.raises(NotPermitted):
        find_account(family["itself"], family[target].pk)


@pytest.mark.parametrize("target", [*PERMITTED, *REFUSED])
def test_a_superadmin_acts_on_everything(target: str, family: dict[str, Account]) -> None:
    actor = family["itself"]
    actor.is_superadmin = True

    assert may_act_on(actor, family[target])
    assert find_account(actor, family[target].pk) == family[target]


def test_without_an_account_in_the_uri_a_superadmin_means_its_own() -> None:
    actor = AccountFactory(is_superadmin=True)

    assert find_account(actor, None) == actor


def test_without_an_account_in_the_uri_only_a_superadmin_may_act() -> None:
    with pytest.raises(NotPermitted):
        find_account(AccountFactory(is_reseller=True), None)


@pytest.mark.parametrize(
    "account_id", ["", "x", "0" * 32, "A" * 32, "0" * 31 + "\0", "0" * 33, "0" * 32 + "\n"]
)
def test_an_account_that_does_not_exist_is_named(account_id: str) -> None:
    with pytest.raises(UnknownAccount) as raised:
        find_account(AccountFactory(), account_id)

    assert raised.value.account_id == account_id


@pytest.mark.parametrize("account_id", [None, "0" * 32])
def test_without_a_token_no_other_error_is_reported(account_id: str | None) -> None:
    with pytest.raises(InvalidCredentials):
        find_account(None, account_id)


def test_the_own_account_takes_no_query(django_assert_num_queries: Any) -> None:
    actor = AccountFactory()

    with django_assert_num_queries(0):
        find_account(actor, actor.pk)


def test_another_account_takes_one_query(
    family: dict[str, Account], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        find_account(family["itself"], family["grandchild"].pk)


def test_what_cannot_be_an_id_takes_no_query(django_assert_num_queries: Any) -> None:
    actor = AccountFactory()

    with django_assert_num_queries(0), pytest.raises(UnknownAccount):
        find_account(actor, "0" * 31 + "\0")
