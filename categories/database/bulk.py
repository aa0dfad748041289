"""How are thousands of rows written at once? One COPY or executemany, in the current transaction.

No model instances, no signals, no `save()`: for the hot path of actions that take a batch at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache, partial
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.expressions import RawSQL

from categories.database.copy_text import NUL, write_columns
from piston.relied_on import rely_on

Prepare = Callable[[Any], Any]
# what both databases' drivers take as it is
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

    Fields that are not named need a default in the database, as an automatic id has.
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
            # as every other statement, so that whoever counts or logs statements sees this one
            cursor._execute_with_wrappers(statement, prepared, many=True, executor=copy_columns)
        else:
            marks = ", ".join(["%s"] * len(fields))
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
            cursor.executemany(statement, list(zip(*prepared, strict=True)))


def copy_columns(
    statement: str, columns: Sequence[Sequence[Any]], _many: bool, context: Any
) -> None:
    """Send rows by COPY; Django's cursor has no such method, so its errors are translated here."""
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
    """Set the named fields of the rows found by `key`; each of `rows` is (key, *values)."""
    if not rows:
        return
    connection = connections[using]
    fields = [model._meta.get_field(name) for name in (key, *columns)]
    prepared = prepare_columns(fields, rows, connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            statement = update_from_arrays(model, fields, connection)
            cursor.execute(statement, [list(column) for column in prepared])
        else:
            table = connection.ops.quote_name(model._meta.db_table)
            names = [quoted_column(field, connection) for field in fields]
            changes = ", ".join(f"{name} = %s" for name in names[1:])
            cursor.executemany(
                f"UPDATE {table} SET {changes} WHERE {names[0]} = %s",  # noqa: S608
                list(zip(*prepared[1:], prepared[0], strict=True)),
            )


def update_from_arrays(
    model: type[models.Model], fields: Sequence[Any], connection: BaseDatabaseWrapper
) -> str:
    """Return one UPDATE whose parameters are an array per field, the key's first."""
    table = connection.ops.quote_name(model._meta.db_table)
    names = [quoted_column(field, connection) for field in fields]
    types = [field.rel_db_type(connection) for field in fields]
    # JSON travels as text: an array of documents would be taken for a document
    array_types = ["text" if type_ == "jsonb" else type_ for type_ in types]
    arrays = ", ".join(f"%s::{type_}[]" for type_ in array_types)
    changes = ", ".join(
        f"{name} = new.{name}::{type_}" for name, type_ in zip(names[1:], types[1:], strict=True)
    )
    return (
        f"UPDATE {table} SET {changes} FROM unnest({arrays}) AS new({', '.join(names)})"  # noqa: S608
        f" WHERE {table}.{names[0]} = new.{names[0]}"
    )


def listed(values: Collection[str], *, using: str) -> RawSQL:
    """Return a subquery for `filter(name__in=…)` that takes all values as one parameter.

    Thousands of parameters cost more than the look-up itself, and SQLite bounds their number.
    """
    if connections[using].vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::text[])", [write_array(values)])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(list(values))])


def write_array(values: Collection[str]) -> str | list[str]:
    """Return texts as PostgreSQL reads an array: the driver takes microseconds for each of them."""
    joined = NUL.join(values)
    if not values or joined.count(NUL) != len(values) - 1:
        return list(values)  # no text can have a NUL: the driver raises the error for that
    escaped = joined.replace("\\", r"\\").replace('"', r"\"")
    return '{"' + escaped.replace(NUL, '","') + '"}'


def quoted_column(field: Any, connection: BaseDatabaseWrapper) -> str:
    """Return the field's column as SQL writes it."""
    return connection.ops.quote_name(field.column)


def prepare_columns(
    fields: Sequence[Any], rows: Sequence[Sequence[Any]], connection: BaseDatabaseWrapper
) -> list[Sequence[Any]]:
    """Return the rows' columns as the driver takes them; only what needs it is touched."""
    preparers = [find_preparer(field, connection) for field in fields]
    return [
        values if prepare is None else list(map(prepare, values))
        for prepare, values in zip(preparers, zip(*rows, strict=True), strict=True)
    ]


def find_preparer(field: Any, connection: BaseDatabaseWrapper) -> Prepare | None:
    """Return what turns a value of the field into what the driver takes; None: nothing has to."""
    if isinstance(field, models.JSONField):
        return partial(write_json, encoder=field.encoder)
    if isinstance(field, PLAIN_FIELDS):
        return None
    if isinstance(field, models.DecimalField) and connection.vendor == "postgresql":
        return None  # the database rounds to the column's places; SQLite takes texts
    # moments and amounts repeat within a batch
    return lru_cache(lambda value: field.get_db_prep_save(value, connection=connection))


def write_json(value: Any, encoder: type[json.JSONEncoder] | None) -> str | None:
    """Return a document as text; most of them are empty, and None is NULL."""
    if value == {}:
        return "{}"
    if value == []:
        return "[]"
    return None if value is None else json.dumps(value, cls=encoder)
