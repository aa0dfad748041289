"""Detects a table that refuses good rows: a new column, a lost default, a sequence that lags.

PostgreSQL reports all three as a constraint that a row violated. To tell them apart, we compare
the table with our models, and the duplicate number with the last one of its sequence.
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
# `Key (id)=(7) already exists.`, in any language; text from a row comes after the first `(`
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
    """Return what is wrong with the table, for staff; "" if a row may be to blame.

    The class of the error stands first, as in `database_errors.describe`. Call this after the
    rollback: a failed transaction runs no queries.
    """
    fault = ""
    if database_errors.state_of(error) == NOT_NULL_VIOLATION:
        fault = find_missing_value(database_errors.diagnosis_of(error))
    elif database_errors.state_of(error) == UNIQUE_VIOLATION:
        fault = find_lagging_sequence(database_errors.diagnosis_of(error))
    elif database_errors.code_on_sqlite(error) and (on := NULL_ON_SQLITE.match(str(error))):
        fault = find_unknown_column(*on.groups())
    kind, _, text = database_errors.describe(error).partition(": ")
    return fault and f"{kind}: {fault} ({text})"


def find_missing_value(found: Any) -> str:
    """Return why a column has no value; "" if the action may have forgotten it."""
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
    """Return that a column which needs a value is unknown to this code; "" if it is known.

    For a table without a model, the answer is "", too.
    """
    known = {field.column for field in fields_of(table)}
    if not known or column in known:
        return ""
    return f"this code does not know the column {table}.{column}, which needs a value"


def find_lagging_sequence(found: Any) -> str:
    """Return that a sequence gives numbers that are taken; "" if the row brought its own number."""
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
    """Return a row of the catalogue; None if the query fails."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone()
    except Error:  # the sequence gave this session no number yet, or the table is gone
        return None
