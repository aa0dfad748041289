"""The action `find`, which looks up single numbers."""

from __future__ import annotations

from collections.abc import Sequence

from categories.contract import (
    Context,
    Effects,
    Outcome,
    Row,
    RowAction,
    RowFailed,
    Succeeded,
)
from categories.number_management.access import UNAUTHORIZED, read_rights
from categories.number_management.columns import E164, NUMBER_COLUMNS
from categories.number_management.records import number_cells, read_account_names, read_records


class Find(RowAction):
    """Show everything about given numbers.

    A number can be seen when it is available, when it belongs to the account of the token or to
    one below it, and when the account above has reserved it.
    """

    columns = (E164,)
    output = NUMBER_COLUMNS
    replaces_header = True
    effects = Effects.NONE

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Look up the numbers of a batch."""
        records = read_records({row.e164 for row in rows}, using=context.database)
        holders = {record.account_id for record in records.values()}
        rights = read_rights(context, holders)
        names = read_account_names(holders, using=context.database)
        outcomes: list[Outcome] = []
        for row in rows:
            record = records.get(row.e164)
            if record is None:
                outcomes.append(RowFailed(f"number {row.e164} not found"))
            elif not rights.may_see(record):
                outcomes.append(RowFailed(UNAUTHORIZED))
            else:
                cells = number_cells(record, names.get(record.account_id or ""))
                outcomes.append(Succeeded(cells))
        return outcomes
