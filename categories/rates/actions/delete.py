"""The action `delete`, which removes rates from ratedecks."""

from __future__ import annotations

from collections.abc import Sequence

from categories.columns import IntegerColumn, ListColumn
from categories.contract import Context, Outcome, RowAction, RowFailed, Succeeded
from categories.contract.rows import Row, file_columns
from categories.rates.access import find_owner, require_permission
from categories.rates.columns import (
    DEFAULT_RATEDECK,
    IDENTIFYING_COLUMNS,
    RATE_COLUMNS,
)
from categories.rates.deleting import Description, delete_rates

NOT_COMPARED = {"ratedeck_id", "prefix", "pvt_type"}
FIELDS = {"_id": "rate_id"}  # fields with another name than their column


class Delete(RowAction):
    """Delete rates from ratedecks.

    A row deletes the rates of its ratedeck that have its prefix and all the other values that it
    gives. An empty cell fits any value, so a row with only a prefix deletes all rates with it. The
    file of an `export` deletes what it lists. A ratedeck stays when its last rate is gone.
    """

    columns = [
        *(column.but(mandatory=column.name == "prefix") for column in RATE_COLUMNS),
        *IDENTIFYING_COLUMNS,
    ]
    output = [
        IntegerColumn("deleted_count", "How many rates the row deleted."),
        ListColumn(
            "deleted_ids", "Their ids, if they are several.", example='["US-1415","US-1415-night"]'
        ),
    ]

    errors = [
        "there is no ratedeck {ratedeck_id}",
        "no rate of ratedeck {ratedeck_id} has the prefix {prefix}",
        "no rate of ratedeck {ratedeck_id} with the prefix {prefix} has all the values of this row",
    ]

    def permitted(self, context: Context) -> None:
        """Refuse all but super-duper admins, and resellers in their own tree."""
        require_permission(context)

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Delete the rates of a batch in a few statements."""
        compared = [name for name in file_columns(rows[0]) if name not in NOT_COMPARED]
        descriptions = [
            Description(
                row.ratedeck_id or DEFAULT_RATEDECK,
                row.prefix,
                tuple([row[name] for name in compared]),
            )
            for row in rows
        ]
        fields = [FIELDS.get(name, name) for name in compared]
        deleted = delete_rates(descriptions, fields, find_owner(context), using=context.database)
        return [ids if isinstance(ids, RowFailed) else succeed(ids) for ids in deleted]


ONE_DELETED = Succeeded((1, None))  # many rows share it, and their output is made once


def succeed(ids: list[str]) -> Succeeded:
    """Return the outcome of a row that deleted rates."""
    return ONE_DELETED if len(ids) == 1 else Succeeded((len(ids), ids))
