"""Does a table refuse rows that are good? A new column, a lost default, a sequence that lags.

PostgreSQL reports all three as a constraint that a row has broken. What tells them apart is what
this code knows of the table, and which number its sequence gave last.
"""

from __future__ import annotations

import re
from typing import Any

from django.apps import apps
from django.db import Error, connection, models, transaction

from piston.database import database_errors

NOT_NULL_VIOLATION = "23502"
UNIQUE_VIOLATION = "23505"
NULL_ON_SQLITE = re.compile(r"NOT NULL constraint failed: (.+)\.(.+)")
# `Key (id)=(7) already exists.`, in whatever language; what a row says stands behind the first `(`
TAKEN_NUMBER = re.compile(r"[^(]*\((\w+)\)=\((\d+)\)")
NAMED = "(SELECT format('%%I.%%I', %s::text, %s::text)::regclass AS oid) AS named"
ROOT = "coalesce(pg_partition_root(named.oid), named.oid)::regclass"  # errors name a partition
# the number that this session was given last, by the sequence that the column owns
LAST_NUMBER = f"SELECT currval(pg_get_serial_sequence({ROOT}::text, %s)) FROM {NAMED}"  # noqa: S608
# the table, whether the column has a default, and whether it owns a sequence
DEFAULT = f"""
    SELECT root.relname, own.atthasdef OR own.attidentity <> '',
        pg_get_serial_sequence(root.oid::regclass::text, own.attname) IS NOT NULL
    FROM {NAMED}, pg_class AS root, pg_attribute AS own
    WHERE root.oid = {ROOT} AND own.attrelid = root.oid AND own.attname = %s
"""  # noqa: S608


def find_fault(error: Exception) -> str:
    """Return what is wrong with the table, for staff; "" where a row may be to blame.

    The kind of the error stands first, as in what `database_errors.describe` returns.
    Ask after the rollback: a transaction that has failed answers no questions.
    """
    fault = ""
    if database_errors.state_of(error) == NOT_NULL_VIOLATION:
        fault = find_lack(database_errors.diagnosis_of(error))
    elif database_errors.state_of(error) == UNIQUE_VIOLATION:
        fault = find_lagging_sequence(database_errors.diagnosis_of(error))
    elif database_errors.code_on_sqlite(error) and (on := NULL_ON_SQLITE.match(str(error))):
        fault = find_unknown_column(*on.groups())
    kind, _, text = database_errors.describe(error).partition(": ")
    return fault and f"{kind}: {fault} ({text})"


def find_lack(found: Any) -> str:
    """Say why a column is given no value; "" where the action may have forgotten it."""
    column = found.column_name
    answer = ask(DEFAULT, found.schema_name, found.table_name, column)
    if answer is None:
        return ""
    table, has_default, owns_sequence = answer
    is_automatic = owns_sequence or any(
        isinstance(field, models.AutoField) and field.column == column for field in fields_of(table)
    )
    if is_automatic and not has_default:
        return f"{table}.{column} has lost its default"
    return find_unknown_column(table, column)


def find_unknown_column(table: str, column: str) -> str:
    """Say that a column which needs a value is newer than this code; "" where it is not.

    Nothing is known of tables without a model.
    """
    known = {field.column for field in fields_of(table)}
    if not known or column in known:
        return ""
    return f"this code does not know the column {table}.{column}, which needs a value"


def find_lagging_sequence(found: Any) -> str:
    """Say that a sequence gives numbers that are taken; "" where the row brought its own number."""
    taken = TAKEN_NUMBER.match(found.message_detail or "")
    if taken is None:
        return ""
    column, number = taken.groups()
    if ask(LAST_NUMBER, column, found.schema_name, found.table_name) != (int(number),):
        return ""
    return f"the sequence of {found.table_name}.{column} is behind its rows: `setval` it"


def fields_of(table: str) -> list[Any]:
    """Return the fields of all models that have this table."""
    return [
        field
        for model in apps.get_models(include_auto_created=True)
        if model._meta.db_table == table
        for field in model._meta.local_concrete_fields
    ]


def ask(statement: str, *values: str) -> Any:
    """Return a row of the catalogue; None where it cannot be had."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone()
    except Error:  # a sequence that gave this session nothing, a table that is gone
        return None
