"""Deletes the rates that rows describe with one statement of PostgreSQL.

A description has a place, a ratedeck and a prefix, that no other has.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections, models

from categories.database.array_text import write_array
from categories.rates.columns import DirectionColumn
from categories.rates.models import Rate

STATEMENT = """
    DELETE FROM rates_rate AS rate
    USING unnest(%s::bigint[], %s::text[]{arrays}) WITH ORDINALITY
        AS wanted(deck, prefix{names}, number)
    WHERE rate.ratedeck_id = wanted.deck AND rate.prefix = wanted.prefix {conditions}
    RETURNING wanted.number, rate.rate_id
"""


def delete_at_once(
    places: Sequence[tuple[int | None, str]],
    fields: Sequence[str],
    values: Sequence[Sequence[Any]],
    *,
    using: str,
) -> Mapping[int, list[str]]:
    """Return the ids of the deleted rates by the number of the description, from 0."""
    types = [find_type(Rate._meta.get_field(name)) for name in fields]
    statement = STATEMENT.format(
        arrays="".join(f", %s::{type_}[]" for type_ in types),
        names="".join(f", value{number}" for number in range(len(fields))),
        conditions=" ".join(
            compare(name, f"wanted.value{number}") for number, name in enumerate(fields)
        ),
    )
    columns = [*zip(*places, strict=True), *zip(*values, strict=True)]
    deleted: dict[int, list[str]] = defaultdict(list)
    with connections[using].cursor() as cursor:
        cursor.execute(statement, [write_values(column) for column in columns])
        for number, rate_id in cursor:
            deleted[number - 1].append(rate_id)
    return deleted


def find_type(field: Any) -> str:
    """Return the type of an array's values; JSON travels as text."""
    if isinstance(field, models.DecimalField):
        return "numeric"
    return "bigint" if isinstance(field, models.IntegerField) else "text"


def compare(name: str, wanted: str) -> str:
    """Return the condition that a value is not given, or equals the stored one."""
    field: Any = Rate._meta.get_field(name)
    stored = f"rate.{field.column}"
    if isinstance(field, models.JSONField):
        wanted_value = f"{wanted}::jsonb"
    elif name == "direction":
        stored, wanted_value = f"coalesce({stored}, '{DirectionColumn.BOTH}')", wanted
    else:
        wanted_value = wanted
    return f"AND ({wanted} IS NULL OR {stored} = {wanted_value})"


def write_values(values: Sequence[Any]) -> str | list[Any]:
    """Return an array; lists are written as JSON."""
    if any(isinstance(value, list) for value in values):
        values = [None if value is None else json.dumps(value) for value in values]
    return write_array(values)
