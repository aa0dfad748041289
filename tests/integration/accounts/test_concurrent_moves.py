"""What happens to an account that is made while the branch above it moves?"""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from piston.accounts.errors import CannotMove
from piston.accounts.models import Account, AccountLink
from tests.factories import AccountFactory

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
]


def start(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_until_blocked(thread: threading.Thread) -> None:
    """Return once a thread waits for the tree's lock; fail if it does not have to wait."""
    with connection.cursor() as cursor:
        while thread.is_alive():
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND NOT granted"
            )
            if cursor.fetchone() == (1,):
                return
    pytest.fail("nothing kept the two apart")


def test_an_account_made_meanwhile_is_linked_to_the_new_place() -> None:
    old, new = AccountFactory(), AccountFactory()
    moved = AccountFactory(parent=old)

    with transaction.atomic():
        moved.move_to(new)
        maker = start(lambda: Account.objects.create(name="child", parent=moved))
        wait_until_blocked(maker)
    maker.join()

    child = Account.objects.get(name="child")
    assert list(child.ancestors()) == [new, moved]
    assert not AccountLink.objects.filter(ancestor=old, descendant=child).exists()


def test_of_two_moves_that_would_form_a_cycle_one_is_refused() -> None:
    first, second = AccountFactory(), AccountFactory()
    refusals = []

    def move_second() -> None:
        try:
            Account.objects.get(pk=second.pk).move_to(first)
        except CannotMove as error:
            refusals.append(error)

    with transaction.atomic():
        first.move_to(second)
        mover = start(move_second)
        wait_until_blocked(mover)
    mover.join()

    assert refusals
    assert list(first.ancestors()) == [second]
    assert not second.ancestors().exists()
