"""Writes thousands of rows with one COPY or executemany, in the current transaction.

It uses no model instances, signals or `save()`. It is for actions that process whole batches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache, partial
from json.encoder import encode_basestring_ascii
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.expressions import RawSQL

from categories.database.array_text import write_array
from categories.database.copy_text import write_columns
from piston.relied_on import rely_on

Prepare = Callable[[Any], Any]
# fields whose values the drivers of both databases accept unchanged
PLAIN_FIELDS = (
    models.CharField,
    models.TextField,
    models.IntegerField,
    models.BooleanField,
    models.ForeignKey,
)


rely_on(__name__, CursorWrapper, _execute_with_wrappers="self, sql, params, many, executor")


def insert_rows(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    using: str = "default",
) -> None:
    """Insert rows of the named fields; raise IntegrityError as a single insert would.

    Other fields need a default in the database, like an automatic id.
    """
    if not rows:
        return
    connection = connections[using]
    fields = [model._meta.get_field(name) for name in columns]
    names = ", ".join(quoted_column(field, connection) for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    prepared = prepare_columns(fields, rows, connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            statement = f"COPY {table} ({names}) FROM STDIN"
            # through Django's wrappers, which count and log statements
            cursor._execute_with_wrappers(statement, prepared, many=True, executor=copy_columns)
        else:
            marks = ", ".join(["%s"] * len(fields))
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
            cursor.executemany(statement, list(zip(*prepared, strict=True)))


def copy_columns(
    statement: str, columns: Sequence[Sequence[Any]], _many: bool, context: Any
) -> None:
    """Send rows by COPY; Django's cursor has no `copy`, so its errors are translated here."""
    connection, cursor = context["connection"], context["cursor"].cursor
    text = write_columns(columns)
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        if text is not None:
            copy.write(text)
            return
        for row in zip(*columns, strict=True):
            copy.write_row(row)


def update_rows(
    model: type[models.Model],
    key: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    using: str = "default",
) -> None:
    """Update the named fields of rows found by `key`; each of `rows` is (key, *values)."""
    if not rows:
        return
    connection = connections[using]
    fields = [model._meta.get_field(name) for name in (key, *columns)]
    prepared = prepare_columns(fields, rows, connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(*update_from_arrays(model, fields, prepared, connection))
        else:
            table = connection.ops.quote_name(model._meta.db_table)
            names = [quoted_column(field, connection) for field in fields]
            changes = ", ".join(f"{name} = %s" for name in names[1:])
            cursor.executemany(
                f"UPDATE {table} SET {changes} WHERE {names[0]} = %s",  # noqa: S608
                list(zip(*prepared[1:], prepared[0], strict=True)),
            )


def update_from_arrays(
    model: type[models.Model],
    fields: Sequence[Any],
    prepared: Sequence[Sequence[Any]],
    connection: BaseDatabaseWrapper,
) -> tuple[str, list[Any]]:
    """Return one UPDATE and its parameters: an array per field, the key's first.

    A field that gets the same value in all rows is one parameter instead.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    (key, key_type, keys), *columns = [
        (quoted_column(field, connection), field.rel_db_type(connection), values)
        for field, values in zip(fields, prepared, strict=True)
    ]
    same = [column for column in columns if column[2].count(column[2][0]) == len(column[2])]
    differing = [column for column in columns if column not in same]
    changes = [f"{name} = %s::{type_}" for name, type_, _ in same]
    changes += [f"{name} = new.{name}::{type_}" for name, type_, _ in differing]
    # JSON is sent as text, because the driver would take an array of documents for one document
    types = [key_type, *("text" if type_ == "jsonb" else type_ for _, type_, _ in differing)]
    arrays = ", ".join(f"%s::{type_}[]" for type_ in types)
    names = ", ".join([key, *(name for name, _, _ in differing)])
    statement = (
        f"UPDATE {table} SET {', '.join(changes)} FROM unnest({arrays}) AS new({names})"  # noqa: S608
        f" WHERE {table}.{key} = new.{key}"
    )
    parameters = [values[0] for _, _, values in same]
    return statement, [
        *parameters,
        *map(write_array, [keys, *(values for *_, values in differing)]),
    ]


def listed(values: Collection[str], *, using: str) -> RawSQL:
    """Return a subquery for `filter(name__in=…)` that passes all values as one parameter.

    Thousands of parameters cost more than the look-up itself, and SQLite limits their number.
    """
    if connections[using].vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::text[])", [write_array(values)])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(list(values))])


def listed_integers(values: Collection[int], *, using: str) -> RawSQL:
    """Return the same as `listed` for whole numbers, such as primary keys."""
    if connections[using].vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::bigint[])", ["{" + ",".join(map(str, values)) + "}"])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(list(values))])


def quoted_column(field: Any, connection: BaseDatabaseWrapper) -> str:
    """Return the field's column as SQL writes it."""
    return connection.ops.quote_name(field.column)


def prepare_columns(
    fields: Sequence[Any], rows: Sequence[Sequence[Any]], connection: BaseDatabaseWrapper
) -> list[Sequence[Any]]:
    """Return the rows' columns as the driver accepts them; convert only where necessary."""
    preparers = [find_preparer(field, connection) for field in fields]
    return [
        values if prepare is None else list(map(prepare, values))
        for prepare, values in zip(preparers, zip(*rows, strict=True), strict=True)
    ]


def find_preparer(field: Any, connection: BaseDatabaseWrapper) -> Prepare | None:
    """Return a function that converts the field's values for the driver; None if not needed."""
    if isinstance(field, models.JSONField):
        return partial(write_json, encoder=field.encoder)
    if isinstance(field, PLAIN_FIELDS):
        return None
    if isinstance(field, models.DecimalField) and connection.vendor == "postgresql":
        return None  # the database rounds to the column's places; SQLite needs texts
    # cached, because moments and amounts repeat within a batch
    return lru_cache(lambda value: field.get_db_prep_save(value, connection=connection))


def write_json(value: Any, encoder: type[json.JSONEncoder] | None) -> str | None:
    """Return a document as text; None means NULL. Most are empty, or short lists of texts."""
    if value == {}:
        return "{}"
    if type(value) is list and encoder is None and all(type(each) is str for each in value):
        return f"[{', '.join(map(encode_basestring_ascii, value))}]"
    return None if value is None else json.dumps(value, cls=encoder)
