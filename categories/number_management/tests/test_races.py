"""Can two tasks add numbers at the same time? Only in a database with row locks."""

import threading
from typing import Any

import pytest
from django.db import connections, transaction

from categories.number_management import batches
from categories.number_management.actions.add import Add
from categories.number_management.models import PhoneNumber
from categories.number_management.tests.factories import NUMBER, make_superadmin
from categories.testing import Ran, run_action

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
