"""Reads and writes numbers as plain records, a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from categories.database.bulk import insert_rows, listed, update_rows
from categories.number_management.carriers import LOCAL_CARRIER
from categories.number_management.models import PhoneNumber

NO_FEATURES: Mapping[str, Any] = {}  # shared by many records


class NumberRecord(NamedTuple):
    """The fields of a PhoneNumber, in the order in which they are written."""

    number: str
    account_id: str | None
    state: str
    created_at: datetime
    modified_at: datetime
    carrier_module: str = LOCAL_CARRIER
    ported_in: bool = False
    features: Mapping[str, Any] = NO_FEATURES
    previously_assigned_to: str | None = None
    used_by: str | None = None
    reservations: str | None = None

    @property
    def reserved_by(self) -> list[str]:
        """The accounts that reserved the number, the newest first."""
        return self.reservations.split() if self.reservations else []


FIELDS = NumberRecord._fields


def read_records(
    numbers: Collection[str], *, using: str, lock: bool = False
) -> dict[str, NumberRecord]:
    """Return the existing ones of the numbers, in one query; `lock` locks their rows.

    They are locked in the order of the numbers, so that two tasks cannot deadlock.
    """
    found = PhoneNumber.objects.using(using).filter(number__in=listed(numbers, using=using))
    if lock:
        found = found.select_for_update().order_by("number")
    return {row[0]: NumberRecord._make(row) for row in found.values_list(*FIELDS)}


def insert_records(records: Iterable[NumberRecord], *, using: str) -> None:
    """Insert new numbers, in their order, so that two tasks with the same ones cannot deadlock."""
    insert_rows(PhoneNumber, FIELDS, sorted(records, key=itemgetter(0)), using)


def update_records(records: Iterable[NumberRecord], fields: Sequence[str], *, using: str) -> None:
    """Write the named fields of existing numbers."""
    rows = list(map(attrgetter("number", *fields), records))
    update_rows(PhoneNumber, "number", fields, rows, using)


def delete_records(records: Collection[NumberRecord], *, using: str) -> None:
    """Delete numbers; their history stays."""
    numbers = [record.number for record in records]
    PhoneNumber.objects.using(using).filter(number__in=listed(numbers, using=using)).delete()
