import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from piston.accounts.errors import CannotMove, TreeTooDeep
from piston.accounts.models import Account, AccountLink
from piston.accounts.models.account_link import MAX_DEPTH
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


def links_by_definition() -> set[tuple[str, str, int]]:
    """Follow the parents of every account: the rows that the closure table must have."""
    parents = dict(Account.objects.values_list("pk", "parent_id"))
    links = set()
    for account_id in parents:
        ancestor, depth = account_id, 0
        while ancestor is not None:
            links.add((ancestor, account_id, depth))
            ancestor, depth = parents[ancestor], depth + 1
    return links


def stored_links() -> set[tuple[str, str, int]]:
    return set(AccountLink.objects.values_list("ancestor_id", "descendant_id", "depth"))


def make_chain(length: int) -> list[Account]:
    chain: list[Account] = []
    for _ in range(length):
        chain.append(Account(name="link", parent=chain[-1] if chain else None))
    return Account.objects.bulk_create(chain)


def test_a_new_account_is_linked_to_all_above_it() -> None:
    root = AccountFactory()
    reseller = AccountFactory(parent=root)

    AccountFactory(parent=reseller)

    assert stored_links() == links_by_definition()


def test_making_an_account_takes_the_same_queries_at_any_depth() -> None:
    *_, last = make_chain(50)

    counts = []
    for parent in (AccountFactory(), last):
        with CaptureQueriesContext(connection) as captured:
            Account.objects.create(name="new", parent=parent)
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 6


def test_accounts_made_in_bulk_are_linked_whatever_their_order() -> None:
    old = AccountFactory(parent=AccountFactory())
    parent = Account(name="parent", parent=old)
    child = Account(name="child", parent=parent)

    Account.objects.bulk_create([parent, child, Account(name="other root")])

    assert stored_links() == links_by_definition()


def test_descendants_are_all_below_without_the_account_itself() -> None:
    root = AccountFactory()
    child = AccountFactory(parent=root)
    grandchild = AccountFactory(parent=child)
    AccountFactory()

    assert set(root.descendants()) == {child, grandchild}


def test_within_includes_the_account_itself() -> None:
    root = AccountFactory()
    child = AccountFactory(parent=root)
    AccountFactory()

    assert set(Account.objects.within(root)) == {root, child}


def test_ancestors_come_root_first() -> None:
    root = AccountFactory()
    child = AccountFactory(parent=root)
    grandchild = AccountFactory(parent=child)

    assert list(grandchild.ancestors()) == [root, child]


def test_path_names_everything_from_the_root_down() -> None:
    root = AccountFactory(name="Root")
    child = AccountFactory(name="Shop", parent=root)

    assert child.path() == "Root / Shop"


def test_moving_takes_everything_below_along() -> None:
    old, new = AccountFactory(parent=AccountFactory()), AccountFactory(parent=AccountFactory())
    moved = AccountFactory(parent=old)
    AccountFactory(parent=AccountFactory(parent=moved))

    moved.move_to(new)

    assert Account.objects.get(pk=moved.pk).parent == new
    assert stored_links() == links_by_definition()


def test_moving_to_nothing_makes_a_root() -> None:
    moved = AccountFactory(parent=AccountFactory())
    child = AccountFactory(parent=moved)

    moved.move_to(None)

    assert list(child.ancestors()) == [moved]
    assert stored_links() == links_by_definition()


def test_moving_where_it_is_changes_nothing() -> None:
    root = AccountFactory()
    child = AccountFactory(parent=root)
    before = stored_links()

    child.move_to(root)

    assert stored_links() == before


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_account_never_moves_below_itself(place: int) -> None:
    chain = make_chain(3)
    before = stored_links()

    with pytest.raises(CannotMove):
        chain[0].move_to(chain[place])

    assert stored_links() == before
    assert Account.objects.get(pk=chain[0].pk).parent is None


def test_moving_takes_the_same_queries_whatever_is_below(
    django_assert_max_num_queries: object,
) -> None:
    target, moved = AccountFactory(), AccountFactory()
    Account.objects.bulk_create([Account(name="below", parent=moved) for _ in range(500)])

    with django_assert_max_num_queries(11):  # type: ignore[operator]
        moved.move_to(target)

    assert target.descendants().count() == 501


def test_a_tree_has_a_greatest_depth() -> None:
    *_, last = make_chain(MAX_DEPTH + 1)

    with pytest.raises(TreeTooDeep):
        Account.objects.create(name="one more", parent=last)


def test_a_tree_cannot_be_moved_beyond_the_greatest_depth() -> None:
    *_, last = make_chain(MAX_DEPTH)
    root = AccountFactory()
    AccountFactory(parent=root)

    with pytest.raises(TreeTooDeep):
        root.move_to(last)


def test_a_chain_that_is_too_deep_cannot_be_made_in_bulk_either() -> None:
    with pytest.raises(IntegrityError):
        make_chain(MAX_DEPTH + 2)


def test_saving_another_parent_without_moving_is_refused() -> None:
    account = AccountFactory()
    account.parent = AccountFactory()

    with pytest.raises(ValueError, match="move_to"):
        account.save()


def test_updating_parents_in_bulk_is_refused() -> None:
    with pytest.raises(TypeError, match="move_to"):
        Account.objects.update(parent=None)
