import pytest

from categories.number_management.actions.listing import List, ListAll
from categories.number_management.models import PhoneNumber
from categories.testing import run_action
from piston.accounts.models import Account

pytestmark = pytest.mark.django_db

ACCOUNTS = 1_000


def make_tree(count: int) -> list[Account]:
    """Return accounts of a tree, the root first; each has up to six children."""
    accounts: list[Account] = []
    for n in range(count):
        accounts.append(Account(name=f"Account {n}", parent=accounts[(n - 1) // 6] if n else None))
    return list(Account.objects.bulk_create(accounts))


def test_list_all_of_a_tree_is_the_union_of_the_lists_of_its_accounts() -> None:
    accounts = make_tree(ACCOUNTS)
    stranger = Account.objects.create(name="Stranger")
    PhoneNumber.objects.bulk_create(
        PhoneNumber(
            number=f"+1415{n:07}",
            account=[*accounts, stranger][n % (ACCOUNTS + 1)],
            state=("in_service", "reserved", "port_in", "port_out")[n % 4],
            features={"cnam": {"display_name": f"Number {n}"}} if n % 3 else {},
        )
        for n in range(3 * ACCOUNTS)
    )
    below = accounts[2]  # with a part of the tree below it
    within = [account for account in accounts if account.is_within(below)]

    lists = {account.pk: run_action(List, account=account).lines for account in accounts}

    for top, tree in ((accounts[0], accounts), (below, within)):
        union = [line for account in tree for line in lists[account.pk]]
        listed = run_action(ListAll, account=top).lines
        assert sorted(listed) == sorted(union)
        assert 0 < len(listed) < 3 * ACCOUNTS
    assert 1 < len(within) < ACCOUNTS
