"""Tests that a wait for the database fails no row, and that a slow statement fails its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from categories.contract import Context as ActionContext
from categories.contract import Row, RowAction, Succeeded
from categories.errors import RowTimedOut
from categories.running import database_waits
from categories.running.time_limit import time_limit
from piston.accounts.models import Account
from tasks_app.execution import worker
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.factories import AccountFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


@pytest.fixture
def locked_account() -> Iterator[Account]:
    """Lock an account from another connection."""
    account = AccountFactory.create(name="locked")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM accounts_account WHERE id = %s FOR UPDATE", [account.pk])
        yield account
    other.close()


def rename(account: Account) -> None:
    Account.objects.filter(pk=account.pk).update(name="renamed")


def test_a_statement_that_waits_for_a_lock_has_to_wait_and_is_not_timed_out(
    locked_account: Account,
) -> None:
    with (
        pytest.raises(OperationalError, match=r"waiting until it timed out after 0\.3 s"),
        time_limit(0.3),
    ):
        rename(locked_account)

    connection.close()


def test_so_it_is_inside_a_transaction(locked_account: Account) -> None:
    with pytest.raises(OperationalError), transaction.atomic(), time_limit(0.3):
        rename(locked_account)


def test_a_statement_that_is_slow_by_itself_is_timed_out() -> None:
    with pytest.raises(RowTimedOut), time_limit(0.3), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")

    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT query FROM pg_stat_activity WHERE state = 'active'")
        assert not any("pg_sleep" in query for (query,) in cursor.fetchall())


def test_python_code_that_is_too_slow_is_timed_out_without_a_query(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(database_waits, "cancel_statement")

    with pytest.raises(RowTimedOut), time_limit(0.1):
        threading.Event().wait(60)


def test_without_a_database_to_ask_it_has_to_wait(
    locked_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bool:
        raise OperationalError("connection refused")

    monkeypatch.setattr(database_waits, "cancel_statement", fail)

    with pytest.raises(OperationalError, match="refused"), time_limit(0.3):
        rename(locked_account)

    connection.close()


@pytest.mark.parametrize("action", ["add", "check"])
def test_a_row_that_waits_for_a_lock_stays_to_be_done(
    action: str, locked_account: Account, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit(action, "name,do", "n0,"))
    kind = plugins.Add if action == "add" else plugins.Check

    def wait(self: RowAction, row: Row, context: ActionContext) -> Succeeded:
        rename(locked_account)
        return Succeeded()

    monkeypatch.setattr(kind, "process", wait)
    monkeypatch.setattr(kind, "row_seconds", 0.3)
    worker.run_slice(task.pk, "one")

    assert engine.fresh(task).failure_count == 0
    assert not task.segments.get().is_done
    assert task.segments.get().claimed_until is None


@pytest.mark.parametrize(
    ("row_seconds", "claim_seconds", "expected"),
    [(10.0, 20.0, ("20s", "5s")), (600.0, 905.0, ("905s", "5min"))],
)
def test_a_transaction_may_last_as_long_as_its_rows_may(
    row_seconds: float, claim_seconds: float, expected: Any
) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        database_waits.allow_time(row_seconds, claim_seconds)
        cursor.execute(
            "SELECT current_setting('idle_in_transaction_session_timeout'),"
            " current_setting('lock_timeout')"
        )

        assert cursor.fetchone() == expected
