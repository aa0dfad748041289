"""How do stored rows get into an output file without passing through Python? The database writes.

PostgreSQL's COPY writes CSV as we do: it quotes the same cells, and only those. What it has to be
told is how each column writes its values.
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
from django.db.models.functions import Cast, NullIf

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
PAGE_BYTES = 4 * 2**20  # aimed at: a page is held in memory
PAGE_SECONDS = 0.25  # aimed at: a page from a slow disk must not run into its time limit
GROWTH = 4  # a page is at most so many times larger than the one before

rely_on(__name__, CursorWrapper, _execute_with_wrappers="self, sql, params, many, executor")


def copy_out(
    rows: models.QuerySet[Any], cells: Mapping[Column[Any], Combinable]
) -> WrittenRows | None:
    """Return the rows as lines of the output; None where the database cannot write them.

    `cells` are all output columns in their order, with what is stored of each.
    """
    connection = connections[rows.db]
    if connection.vendor != "postgresql":
        return None
    texts = [cell_text(column, stored) for column, stored in cells.items()]
    no_error = Value(None, output_field=models.TextField())
    query = rows.values_list(*texts, no_error).query
    statement, parameters = query.get_compiler(rows.db).as_sql()
    with connection.cursor() as cursor:
        # as every other statement, so that whoever counts or logs statements sees this one
        written: WrittenRows = cursor._execute_with_wrappers(
            f"COPY ({statement}) TO STDOUT (FORMAT csv)", parameters, many=False, executor=read_copy
        )
    return written


def read_copy(statement: str, parameters: Any, _many: bool, context: Any) -> WrittenRows:
    """Return what COPY sends; Django's cursor has no such method, so errors are translated here."""
    cursor = context["cursor"].cursor
    started = monotonic()
    with context["connection"].wrap_database_errors, cursor.copy(statement, parameters) as copy:
        content = b"".join(copy)
    return WrittenRows(content, cursor.rowcount, monotonic() - started)


def next_page_rows(size: int, rows: Sequence[Cells] | WrittenRows) -> int:
    """Return how many rows the next page should have, after one that was to have `size`.

    Pages of written rows aim at a number of bytes and at a time, others stay as they are.
    """
    if not isinstance(rows, WrittenRows) or not rows:
        return size
    fitting = len(rows) * PAGE_BYTES // len(rows.content)
    in_time = int(len(rows) * PAGE_SECONDS / max(rows.seconds, 1e-6))
    return max(1, min(fitting, in_time, size * GROWTH))


def cell_text(column: Column[Any], value: Combinable) -> Combinable:
    """Return `sql_text`, unless that is known only for a class that formats its cells otherwise."""
    kind = type(column)
    known = next(base for base in kind.__mro__ if base in sql_text.registry)
    if getattr(known, "format", None) is not kind.format:
        raise NotImplementedError(f"{column!r}: no SQL is known for its cells")
    return sql_text(column, value)


@singledispatch
def sql_text(column: Column[Any], value: Combinable) -> Combinable:
    """Return what the column's `format` makes of a stored value, as SQL; NULL is an empty cell."""
    raise NotImplementedError


@sql_text.register(TextColumn)
@sql_text.register(PatternColumn)
@sql_text.register(ChoiceColumn)
def _(_column: Column[Any], value: Combinable) -> Combinable:
    return NullIf(value, Value(""), output_field=models.TextField())  # else COPY writes ""


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
