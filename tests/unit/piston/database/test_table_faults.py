"""Are a column newer than the code and one that an action forgot told apart on SQLite?"""

import sqlite3

import pytest
from django.db import IntegrityError

from piston.database import table_faults


@pytest.mark.parametrize(
    ("column", "is_fault"),
    [
        ("accounts_account.fresh", True),
        ("accounts_account.name", False),
        ("nowhere.name", False),  # a table without a model
    ],
)
def test_a_column_that_no_model_knows_is_the_tables_fault(column: str, is_fault: bool) -> None:
    cause = sqlite3.IntegrityError(f"NOT NULL constraint failed: {column}")
    cause.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT_NOTNULL
    error = IntegrityError(str(cause))
    error.__cause__ = cause

    fault = table_faults.find_fault(error)

    assert bool(fault) is is_fault
    assert not fault or column in fault


def test_nothing_else_is() -> None:
    cause = sqlite3.IntegrityError("UNIQUE constraint failed: accounts_account.id")
    cause.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT_UNIQUE
    error = IntegrityError(str(cause))
    error.__cause__ = cause

    assert table_faults.find_fault(error) == ""
    assert table_faults.find_fault(ValueError("NOT NULL constraint failed: a.b")) == ""
