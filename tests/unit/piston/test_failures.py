"""Does the log name the reason of a wait, and the remedy?"""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from django.db import OperationalError, ProgrammingError

from piston.database import failures
from piston.database.failures import log_failure


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Record requests to check the schema again."""
    asked: list[bool] = []
    monkeypatch.setattr(failures.schema, "look_again", lambda: asked.append(True))
    return asked


def test_a_failed_statement_of_ours_is_loud_and_lets_the_schema_be_looked_at(
    asked: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    log_failure("A task waits", OperationalError("server closed the connection"))
    log_failure("A task waits", ProgrammingError("column x does not exist"))

    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert asked == [True]


def caused_by(cause: Exception) -> Exception:
    """Return Django's error with a driver's error as its cause."""
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


def read_only_on_sqlite() -> Exception:
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY
    return error


@pytest.mark.parametrize(
    "cause",
    [
        psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE in a read-only transaction"),
        read_only_on_sqlite(),
    ],
)
def test_a_database_that_takes_no_writes_is_no_other_schema(
    cause: Exception, asked: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    refused = LookupError("the ledger is refused")
    refused.__cause__ = caused_by(cause)

    log_failure("A task waits", caused_by(cause))
    log_failure("A task waits", refused)

    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert all("A task waits: The database takes no writes" in line for line in caplog.messages)
    assert "migrate" not in caplog.text
    assert asked == []
