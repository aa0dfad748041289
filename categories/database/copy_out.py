"""Lets PostgreSQL write stored rows as CSV, so that they need not pass through Python.

COPY writes the same CSV as our code: it quotes the same cells, and only those. This module tells
it how each column formats its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from time import monotonic
from typing import Any

from django.db import connections, models
from django.db.backends.utils import CursorWrapper
from django.db.models import Func, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, NullIf

from categories.columns import (
    BooleanColumn,
    ChoiceColumn,
    Column,
    DateTimeColumn,
    IntegerColumn,
    PatternColumn,
    TextColumn,
)
from categories.contract.outcomes import Cells, WrittenRows
from piston.gregorian import gregorian_sql
from piston.relied_on import rely_on

FIRST_ROWS = 5_000  # of the first page
PAGE_BYTES = 4 * 2**20  # the target; a page is held in memory
PAGE_SECONDS = 0.25  # the target; a page from a slow disk must not exceed its time limit
MAX_GROWTH = 4  # times the rows of the page before

rely_on(__name__, CursorWrapper, _execute_with_wrappers="self, sql, params, many, executor")


def copy_out(
    rows: models.QuerySet[Any], cells: Mapping[Column[Any], Combinable]
) -> WrittenRows | None:
    """Return the rows as lines of the output; None if the database cannot write them.

    `cells` maps all output columns, in their order, to the stored expressions.
    """
    connection = connections[rows.db]
    if connection.vendor != "postgresql":
        return None
    texts = [cell_text(column, stored) for column, stored in cells.items()]
    if len(texts) == 1:  # no line may be blank: COPY writes an empty text as "", NULL as nothing
        texts = [Coalesce(Cast(texts[0], models.TextField()), Value(""))]
    query = rows.values_list(*texts).query
    statement, parameters = query.get_compiler(rows.db).as_sql()
    with connection.cursor() as cursor:
        # through Django's wrappers, which count and log statements
        written: WrittenRows = cursor._execute_with_wrappers(
            f"COPY ({statement}) TO STDOUT (FORMAT csv)", parameters, many=False, executor=read_copy
        )
    return written


def read_copy(statement: str, parameters: Any, _many: bool, context: Any) -> WrittenRows:
    """Return the output of COPY; Django's cursor has no `copy`, so errors are translated here."""
    cursor = context["cursor"].cursor
    started = monotonic()
    with context["connection"].wrap_database_errors, cursor.copy(statement, parameters) as copy:
        content = b"".join(copy)
    return WrittenRows(content, cursor.rowcount, monotonic() - started)


def next_page_rows(size: int, rows: Sequence[Cells] | WrittenRows) -> int:
    """Return how many rows the next page should have, after a page of up to `size` rows.

    Pages of written rows aim at PAGE_BYTES and PAGE_SECONDS; other pages keep their size.
    """
    if not isinstance(rows, WrittenRows) or not rows:
        return size
    fitting = len(rows) * PAGE_BYTES // len(rows.content)
    in_time = int(len(rows) * PAGE_SECONDS / max(rows.seconds, 1e-6))
    return max(1, min(fitting, in_time, size * MAX_GROWTH))


def cell_text(column: Column[Any], value: Combinable) -> Combinable:
    """Return `sql_text`; raise NotImplementedError if it would not match the column's `format`."""
    kind = type(column)
    known = next(base for base in kind.__mro__ if base in sql_text.registry)
    if getattr(known, "format", None) is not kind.format:
        raise NotImplementedError(f"{column!r}: no SQL is known for its cells")
    return sql_text(column, value)


@singledispatch
def sql_text(column: Column[Any], value: Combinable) -> Combinable:
    """Return SQL that does the same as the column's `format`; NULL becomes an empty cell."""
    raise NotImplementedError


@sql_text.register(TextColumn)
@sql_text.register(PatternColumn)
@sql_text.register(ChoiceColumn)
def _(_column: Column[Any], value: Combinable) -> Combinable:
    return NullIf(value, Value(""), output_field=models.TextField())  # COPY would write ""


@sql_text.register
def _(_column: IntegerColumn, value: Combinable) -> Combinable:
    return value


@sql_text.register
def _(_column: BooleanColumn, value: Combinable) -> Combinable:
    return Cast(value, models.TextField())


@sql_text.register
def _(_column: DateTimeColumn, value: Combinable) -> Combinable:
    seconds = gregorian_sql("%(expressions)s")
    return Func(value, template=seconds, output_field=models.BigIntegerField())
