"""Classifies database errors by their codes, because the drivers' exceptions are too coarse.

`ProgrammingError` means a missing table as well as a mistake in a statement. On SQLite both are
`OperationalError`, which otherwise means that the database is away.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from django.db import Error, InterfaceError, OperationalError

READ_ONLY_TRANSACTION = "25006"
INSUFFICIENT_PRIVILEGE = "42501"
# SQLSTATEs of faults that an operator has to migrate, grant or repair; no row or statement caused
# them. Each comment names what is missing.
MISSING = frozenset(
    {
        "2200H",  # a number that a sequence has left
        READ_ONLY_TRANSACTION,  # the right to write at all
        "3D000",  # a database
        "3F000",  # a schema
        INSUFFICIENT_PRIVILEGE,
        "42703",  # a column
        "42704",  # a type, a collation
        "42883",  # a function, or an operator for a column's type
        "42P01",  # a table
        "42P10",  # the unique index that ON CONFLICT means
    }
)
CHECK_VIOLATION = "23514"
FINDS_PARTITIONS = "ExecFindPartition"  # in PostgreSQL's own source, since version 11
DAMAGED = ("XX", "F0")  # classes: a damaged table or index, a faulty configuration
TOO_LARGE = "54"  # class: a value that no index takes, a statement of too many parts
MISSING_ON_SQLITE = re.compile(
    r"no such |has no column named|ON CONFLICT clause does not match", re.IGNORECASE
)


def is_missing(error: Exception) -> bool:
    """Tell whether the database lacks something for which no row is to blame: a table, a right.

    Then waiting is right, even if it is never mended: a row that fails for it may be good.
    """
    if state := state_of(error):
        return state in MISSING or state.startswith(DAMAGED) or is_without_partition(error)
    code = code_on_sqlite(error)
    if code == sqlite3.SQLITE_ERROR:
        return MISSING_ON_SQLITE.search(str(error)) is not None
    return code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


def is_read_only(error: Exception) -> bool:
    """Tell whether the database refuses writes, as a standby or a file without the right does."""
    return (
        state_of(error) == READ_ONLY_TRANSACTION or code_on_sqlite(error) == sqlite3.SQLITE_READONLY
    )


def is_without_partition(error: Exception) -> bool:
    """Tell whether a table has no partition for a row.

    A failed check has the same SQLSTATE, and an error that a trigger raises may have it, too.
    """
    return (
        state_of(error) == CHECK_VIOLATION
        and diagnosis_of(error).source_function == FINDS_PARTITIONS
    )


def is_of_statement(error: Exception) -> bool:
    """Tell whether an OperationalError is the fault of the statement: waiting is futile."""
    if state := state_of(error):
        return state.startswith(TOO_LARGE)
    return code_on_sqlite(error) == sqlite3.SQLITE_ERROR and not is_missing(error)


def is_away(error: Exception) -> bool:
    """Tell whether the database is away, locked or full: the same statement may succeed later."""
    is_operational = isinstance(error, OperationalError | InterfaceError)
    return is_operational and not is_missing(error) and not is_of_statement(error)


def state_of(error: Exception) -> str:
    """Return PostgreSQL's SQLSTATE; "" if there is none: a lost connection, or SQLite."""
    for each in (error, error.__cause__):
        if isinstance(state := getattr(each, "sqlstate", None), str):
            return state
    return ""


def diagnosis_of(error: Exception) -> Any:
    """Return PostgreSQL's details of an error; call this only for an error with a SQLSTATE."""
    return getattr(error, "diag", None) or getattr(error.__cause__, "diag", None)


def code_on_sqlite(error: Exception) -> int:
    """Return SQLite's primary error code; 0 if there is none."""
    for each in (error, error.__cause__):
        if isinstance(code := getattr(each, "sqlite_errorcode", None), int):
            return code & 0xFF
    return 0


def describe(error: Exception) -> str:
    """Return one line for staff: the error's class, the driver's if there is one, and its text."""
    kind = error.__cause__ if isinstance(error, Error) and error.__cause__ else error
    return f"{type(kind).__name__}: {' '.join(str(error).split())}"
