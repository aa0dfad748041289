"""The action `import`, which stores a file of rates in ratedecks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from categories.columns import TextColumn
from categories.contract import Context, Outcome, RowAction, RowFailed, Succeeded
from categories.contract.rows import Row, file_columns, row_number
from categories.rates.access import find_owner, find_unknown_accounts, require_permission
from categories.rates.columns import (
    DEFAULT_RATEDECK,
    IDENTIFYING_COLUMNS,
    RATE_COLUMNS,
    DirectionColumn,
)
from categories.rates.filling import make_rate_id
from categories.rates.storing import FIELDS, Change, store_changes

MANDATORY = {"prefix", "rate_cost"}


class ImportRates(RowAction):
    """Import rates into ratedecks.

    A rate is `{iso_country_code or XX}-{prefix}[-{rate_suffix}]`, or what `_id` says. One that
    exists already is changed in the cells that are given; a ratedeck that is missing is created.
    Not given, `rate_name` is `[direction_][iso_country_code_]prefix`; `weight` is 10 for each digit
    of the prefix less 100 times the cost, within 1 and 100; `routes` are the numbers that begin
    with the prefix.

    A reseller's ratedecks are its own; those of the system are the super-duper admin's.
    """

    name = "import"
    columns = [
        *(column.but(mandatory=column.name in MANDATORY) for column in RATE_COLUMNS),
        *IDENTIFYING_COLUMNS,
    ]
    output = [
        TextColumn("rate_id", "Id of the rate.", example="US-1415"),
        TextColumn(
            "note",
            "What the row overwrites of an earlier row of the file.",
            example="overwrites row 12: rate_cost was 0.05",
        ),
    ]

    errors = ["account {account_id} is not one of yours"]

    def permitted(self, context: Context) -> None:
        """Refuse all but super-duper admins, and resellers in their own tree."""
        require_permission(context)

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Store the rates of a batch in a few statements."""
        owner = find_owner(context)
        unknown = find_unknown_accounts({row.account_id for row in rows}, owner, context.database)
        read_change = change_reader(rows[0])
        changes = [read_change(row) for row in rows if row.account_id not in unknown]
        notes = store_changes(changes, owner, task_id=context.task_id, using=context.database)
        stored = zip(changes, notes, strict=True)
        return [
            RowFailed(f"account {row.account_id} is not one of yours")
            if row.account_id in unknown
            else succeed(*next(stored))
            for row in rows
        ]


def succeed(change: Change, note: str) -> Succeeded:
    """Return the outcome of a row that was stored."""
    return Succeeded((change.rate_id, note))


def change_reader(first: Row) -> Callable[[Row], Change]:
    """Return a function that reads the rows of the same file as `first`, without unset cells."""
    columns = file_columns(first)
    fields = [field for field in FIELDS if field in columns]
    read_fields = attrgetter(*fields)  # returns a tuple: prefix and cost are always in the file

    def read_change(row: Row) -> Change:
        values = zip(fields, read_fields(row), strict=True)
        given = {field: value for field, value in values if value is not None}
        if row.direction == DirectionColumn.BOTH:
            given["direction"] = None
        rate_id = row["_id"] or make_rate_id(row.iso_country_code, row.prefix, row.rate_suffix)
        return Change(row.ratedeck_id or DEFAULT_RATEDECK, rate_id, given, row_number(row))

    return read_change
