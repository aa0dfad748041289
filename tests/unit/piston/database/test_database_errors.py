"""Are a missing table, a bad row and a database that is away told apart?"""

import sqlite3

import psycopg
import pytest
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from psycopg import errors

from piston.database import database_errors


def caused(error: Exception, cause: Exception) -> Exception:
    """Return Django's error with a driver's error as its cause."""
    error.__cause__ = cause
    return error


def on_sqlite(code: int, text: str = "…") -> Exception:
    cause = sqlite3.OperationalError(text)
    cause.sqlite_errorcode = code
    return caused(OperationalError(text), cause)


MISSING = [
    caused(ProgrammingError("…"), errors.UndefinedTable("…")),
    caused(ProgrammingError("…"), errors.UndefinedColumn("…")),
    caused(ProgrammingError("…"), errors.UndefinedFunction("…")),
    caused(ProgrammingError("…"), errors.InsufficientPrivilege("…")),
    caused(ProgrammingError("…"), errors.InvalidSchemaName("…")),
    caused(ProgrammingError("…"), errors.InvalidColumnReference("…")),
    caused(OperationalError("…"), errors.ReadOnlySqlTransaction("…")),
    caused(ProgrammingError("…"), errors.IndexCorrupted("…")),
    caused(DataError("…"), errors.SequenceGeneratorLimitExceeded("…")),
    errors.UndefinedTable("…"),  # some talk to the driver itself
    on_sqlite(sqlite3.SQLITE_ERROR, "no such table: deck"),
    on_sqlite(sqlite3.SQLITE_ERROR, "table deck has no column named price"),
    on_sqlite(sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
]
OF_THE_STATEMENT = [
    caused(OperationalError("…"), errors.ProgramLimitExceeded("…")),  # too long for an index
    on_sqlite(sqlite3.SQLITE_ERROR, 'near "SELEC": syntax error'),
]
AWAY = [
    OperationalError("server closed the connection unexpectedly"),
    InterfaceError("connection already closed"),
    caused(OperationalError("…"), psycopg.OperationalError("…")),
    caused(OperationalError("…"), errors.AdminShutdown("…")),
    caused(OperationalError("…"), errors.DeadlockDetected("…")),
    caused(OperationalError("…"), errors.LockNotAvailable("…")),
    caused(OperationalError("…"), errors.DiskFull("…")),
    caused(OperationalError("…"), errors.TooManyConnections("…")),
    on_sqlite(sqlite3.SQLITE_BUSY, "database is locked"),
]
OF_A_ROW = [
    caused(ProgrammingError("…"), errors.SyntaxError("…")),
    caused(ProgrammingError("…"), errors.IndeterminateDatatype("…")),
    caused(ProgrammingError("…"), errors.RaiseException("…")),
    caused(DataError("…"), errors.StringDataRightTruncation("…")),
    caused(IntegrityError("…"), errors.UniqueViolation("…")),
    caused(IntegrityError("…"), errors.CheckViolation("…")),
    ZeroDivisionError("…"),
]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        *((error, (True, False, False)) for error in MISSING),
        *((error, (False, True, False)) for error in OF_THE_STATEMENT),
        *((error, (False, False, True)) for error in AWAY),
        *((error, (False, False, False)) for error in OF_A_ROW),
    ],
    ids=lambda each: type(getattr(each, "__cause__", None) or each).__name__,
)
def test_an_error_is_one_of_three_kinds_or_a_rows(
    found: Exception, told: tuple[bool, bool, bool]
) -> None:
    kinds = (
        database_errors.is_missing(found),
        database_errors.is_of_statement(found),
        database_errors.is_away(found),
    )

    assert kinds == told


def test_staff_are_told_the_drivers_kind_in_one_line() -> None:
    error = caused(ProgrammingError("no\nLINE 1"), errors.UndefinedTable("…"))

    assert database_errors.describe(error) == "UndefinedTable: no LINE 1"
