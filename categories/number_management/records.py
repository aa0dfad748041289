"""Reads and writes numbers as plain records, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Func, TextField
from django.db.models.functions import Cast

from categories.database.bulk import insert_rows, listed, update_rows
from categories.number_management.carriers import LOCAL_CARRIER
from categories.number_management.models import PhoneNumber
from piston.gregorian import UNIX_EPOCH_SECONDS, gregorian_sql

decode = json.JSONDecoder().raw_decode  # without the checks of json.loads, which take as long
NO_FEATURES: Mapping[str, Any] = {}  # shared by many records


class NumberRecord(NamedTuple):
    """The fields of a PhoneNumber; times are Gregorian seconds, as in files."""

    number: str
    account_id: str | None
    state: str
    created: int
    modified: int
    carrier_module: str = LOCAL_CARRIER
    ported_in: bool = False
    previously_assigned_to: str | None = None
    used_by: str | None = None
    reservations: str | None = None
    features: Mapping[str, Any] = NO_FEATURES

    @property
    def reserved_by(self) -> list[str]:
        """The accounts that reserved the number, the newest first."""
        return self.reservations.split() if self.reservations else []


class GregorianSeconds(Func):
    """The second that contains a stored moment. A driver takes microseconds to read a moment."""

    template = gregorian_sql("%(expressions)s")
    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **options: Any) -> Any:
        """Read the seconds of SQLite's texts, without their fraction, which it would round."""
        second = "CAST(strftime('%%%%s', substr(%(expressions)s, 1, 19)) AS integer)"
        template = f"{second} + {UNIX_EPOCH_SECONDS}"
        return self.as_sql(compiler, connection, template=template, **options)


# the fields of a NumberRecord as they are read; documents as texts, which are often empty ones
STORED: tuple[Any, ...] = (
    "number",
    "account_id",
    "state",
    GregorianSeconds("created_at"),
    GregorianSeconds("modified_at"),
    *NumberRecord._fields[5:10],
    Cast("features", TextField()),
)
TIMES = {"created": "created_at", "modified": "modified_at"}
WRITTEN = tuple(name for name in NumberRecord._fields if name not in TIMES)


def make_record(row: Sequence[Any]) -> NumberRecord:
    """Return the record of a row of STORED."""
    features = row[-1]
    document = NO_FEATURES if features == "{}" else decode(features)[0]
    return NumberRecord._make((*row[:-1], document))


def read_records(
    numbers: Collection[str], *, using: str, lock: bool = False
) -> dict[str, NumberRecord]:
    """Return the existing ones of the numbers, in one query; `lock` locks their rows.

    They are locked in the order of the numbers, so that two tasks cannot deadlock.
    """
    found = PhoneNumber.objects.using(using).filter(number__in=listed(numbers, using=using))
    if lock:
        found = found.select_for_update().order_by("number")
    return {row[0]: make_record(row) for row in found.values_list(*STORED)}


def insert_records(records: Iterable[NumberRecord], now: datetime, *, using: str) -> None:
    """Insert new numbers, in their order, so that two tasks with the same ones cannot deadlock."""
    in_order = sorted(map(attrgetter(*WRITTEN), records), key=itemgetter(0))
    rows = [(*row, now, now) for row in in_order]
    insert_rows(PhoneNumber, (*WRITTEN, *TIMES.values()), rows, using)


def update_records(
    records: Iterable[NumberRecord], fields: Sequence[str], now: datetime, *, using: str
) -> None:
    """Write the named fields of existing numbers that have changed."""
    rows = [(*row, now) for row in map(attrgetter("number", *fields), records)]
    update_rows(PhoneNumber, "number", (*fields, "modified_at"), rows, using)


def delete_numbers(numbers: Collection[str], *, using: str) -> None:
    """Delete numbers; their history stays."""
    PhoneNumber.objects.using(using).filter(number__in=listed(numbers, using=using)).delete()
