"""Is a large tree of accounts still fast? Each query must be one look-up in an index."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from piston.accounts.models import Account, AccountLink
from piston.accounts.permissions import find_account

pytestmark = pytest.mark.django_db
ACCOUNT_COUNT = 20_000


@pytest.fixture(scope="module")
def tree(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[Account]]:
    """One root, 30 resellers, their 1,000 shops, and the customers of the shops."""
    chance = random.Random(1)
    root = Account(name="root")
    resellers = [Account(name="reseller", parent=root) for _ in range(30)]
    shops = [Account(name="shop", parent=chance.choice(resellers)) for _ in range(1_000)]
    rest = ACCOUNT_COUNT - 1 - len(resellers) - len(shops)
    customers = [Account(name="customer", parent=chance.choice(shops)) for _ in range(rest)]
    with django_db_blocker.unblock():
        accounts = Account.objects.bulk_create([root, *resellers, *shops, *customers])
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    yield accounts
    with django_db_blocker.unblock():
        AccountLink.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_account")


def test_everything_below_the_root_is_found(tree: list[Account]) -> None:
    assert tree[0].descendants().count() == ACCOUNT_COUNT - 1


QUESTIONS: dict[str, Callable[[Account, Account], QuerySet[Any]]] = {
    "within": lambda shop, _: Account.objects.within(shop),
    "descendants": lambda shop, _: shop.descendants(),
    "ancestors": lambda _, customer: customer.ancestors(),
    "is_within": lambda shop, customer: customer.links_up.filter(ancestor=shop),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_a_whole_table(question: str, tree: list[Account]) -> None:
    shop, customer = tree[100], tree[-1]

    plan = QUESTIONS[question](shop, customer).explain()

    assert "Seq Scan" not in plan  # PostgreSQL's word
    assert "SCAN accounts" not in plan  # SQLite's
    assert "index" in plan.lower()


def test_a_permission_takes_one_query(tree: list[Account], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert find_account(tree[0], tree[-1].pk) == tree[-1]


def test_a_branch_moves_in_as_many_queries_as_a_leaf(
    tree: list[Account], django_assert_max_num_queries: Any
) -> None:
    reseller, other = tree[1], tree[2]
    below_count = reseller.descendants().count()

    with django_assert_max_num_queries(11):
        reseller.move_to(other)

    assert below_count > 100
    assert reseller.descendants().count() == below_count
    assert tree[0].descendants().count() == ACCOUNT_COUNT - 1
