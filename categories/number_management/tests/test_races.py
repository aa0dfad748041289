"""Can two tasks have the same numbers at the same time? Only in a database with row locks."""

import threading
from typing import Any

import pytest
from django.db import connection, connections, transaction

from categories.number_management import batches
from categories.number_management.actions.add import Add
from categories.number_management.actions.moving import AssignTo
from categories.number_management.errors import UNAUTHORIZED
from categories.number_management.models import PhoneNumber
from categories.number_management.tests.factories import NUMBER, PhoneNumberFactory, make_superadmin
from categories.testing import Ran, run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory
from tests.servers import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgresql,  # SQLite has one writer at a time
]


def test_of_two_tasks_that_add_a_number_one_fails_with_a_clear_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both read that the number is free before either writes it."""
    admin = make_superadmin()
    rows = [{"number": NUMBER, "account_id": admin.pk}]
    both_have_read = threading.Barrier(2, timeout=10)  # seconds
    has_waited = threading.local()
    insert_records = batches.insert_records
    results: list[Ran] = []

    def insert_together(*args: Any, **kwargs: Any) -> None:
        if not hasattr(has_waited, "here"):
            has_waited.here = True
            both_have_read.wait()
        insert_records(*args, **kwargs)

    monkeypatch.setattr(batches, "insert_records", insert_together)

    def add() -> None:
        try:
            with transaction.atomic():
                results.append(run_action(Add, rows, account=admin))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(ran.failures for ran in results) == [[], [f"number {NUMBER} already exists"]]
    assert PhoneNumber.objects.count() == 1


def test_of_two_tasks_that_take_a_number_the_second_sees_what_the_first_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second reads while the first holds the number's row; it waits, and reads it again."""
    first, second = AccountFactory.create_batch(2)
    PhoneNumberFactory.create(number=NUMBER, state="available", carrier_module="knm_telnyx")
    has_read = threading.Event()
    read_records = batches.read_records
    results: dict[str, list[str]] = {}

    def read_slowly(*args: Any, **kwargs: Any) -> Any:
        found = read_records(*args, **kwargs)
        if not has_read.is_set():
            has_read.set()
            wait_until(is_waited_for, seconds=10)
        return found

    monkeypatch.setattr(batches, "read_records", read_slowly)

    def take(account: Account) -> None:
        try:
            with transaction.atomic():
                ran = run_action(AssignTo, [{"e164": NUMBER}], account=account)
            results[account.pk] = ran.failures
        finally:
            connections.close_all()

    one = threading.Thread(target=take, args=[first])
    one.start()
    assert has_read.wait(10)
    two = threading.Thread(target=take, args=[second])
    two.start()
    for thread in (one, two):
        thread.join(30)

    assert results == {first.pk: [], second.pk: [UNAUTHORIZED]}
    assert PhoneNumber.objects.get().account == first


def is_waited_for() -> bool:
    """Say whether a session waits for a lock that this one has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
