"""Reads and writes numbers as plain records, a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from categories.database.bulk import insert_rows, listed, update_rows
from categories.number_management.carriers import LOCAL_CARRIER
from categories.number_management.columns import FEATURES, read_value
from categories.number_management.models import PhoneNumber
from piston.accounts.models import Account


@dataclass(slots=True)
class NumberRecord:
    """The fields of a PhoneNumber, in the order in which they are written."""

    number: str
    account_id: str | None
    state: str
    created_at: datetime
    modified_at: datetime
    carrier_module: str = LOCAL_CARRIER
    ported_in: bool = False
    features: dict[str, Any] = field(default_factory=dict)
    previously_assigned_to: str | None = None
    used_by: str | None = None


FIELDS = tuple(field_.name for field_ in fields(NumberRecord))
as_row = attrgetter(*FIELDS)


def read_records(
    numbers: Collection[str], *, using: str, lock: bool = False
) -> dict[str, NumberRecord]:
    """Return the existing ones of the numbers, in one query; `lock` locks their rows.

    They are locked in the order of the numbers, so that two tasks cannot deadlock.
    """
    found = PhoneNumber.objects.using(using).filter(number__in=listed(numbers, using=using))
    if lock:
        found = found.select_for_update().order_by("number")
    return {row[0]: NumberRecord(*row) for row in found.values_list(*FIELDS)}


def insert_records(records: Iterable[NumberRecord], *, using: str) -> None:
    """Insert new numbers, in their order, so that two tasks with the same ones cannot deadlock."""
    in_order = sorted(records, key=attrgetter("number"))
    insert_rows(PhoneNumber, FIELDS, list(map(as_row, in_order)), using)


def update_records(records: Iterable[NumberRecord], *, using: str) -> None:
    """Write all fields of existing numbers."""
    update_rows(PhoneNumber, FIELDS[0], FIELDS[1:], list(map(as_row, records)), using)


def read_account_names(ids: Iterable[str | None], *, using: str) -> dict[str, str]:
    """Return the names of accounts, in one query."""
    wanted = {id_ for id_ in ids if id_ is not None}
    rows = (
        Account.objects.using(using)
        .filter(pk__in=listed(wanted, using=using))
        .values_list("pk", "name")
    )
    return dict(rows)


def number_cells(record: NumberRecord, account_name: str | None) -> Sequence[Any]:
    """Return a number's cells in the order of NUMBER_COLUMNS."""
    features = record.features
    return (
        record.number,
        account_name,
        record.account_id,
        record.previously_assigned_to,
        record.state,
        record.created_at,
        record.modified_at,
        record.used_by,
        record.ported_in,
        record.carrier_module,
        *((read_value(features, path) for _, path in FEATURES) if features else NO_FEATURES),
    )


NO_FEATURES = (None,) * len(FEATURES)
