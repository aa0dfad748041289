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
from categories.number_management.access import read_rights
from categories.number_management.columns import E164, NUMBER_COLUMNS
from categories.number_management.errors import MISSING, UNAUTHORIZED, describe_missing
from categories.number_management.output import number_texts
from categories.number_management.records import read_records


class Find(RowAction):
    """Show everything about given numbers.

    A number can be seen when it is available, when it belongs to the account of the token or to
    one below it, and when the account above has reserved it.
    """

    columns = (E164,)
    output = NUMBER_COLUMNS
    replaces_header = True
    errors = (*MISSING, UNAUTHORIZED)
    effects = Effects.NONE

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Look up the numbers of a batch."""
        records = read_records({row.e164 for row in rows}, using=context.database)
        rights = read_rights(context, {record.account_id for record in records.values()})
        outcomes: list[Outcome] = []
        for row in rows:
            record = records.get(row.e164)
            if record is None:
                outcomes.append(RowFailed(describe_missing(row.e164)))
            elif not rights.may_see(record):
                outcomes.append(RowFailed(UNAUTHORIZED))
            else:
                account_name = rights.names.get(record.account_id or "")
                outcomes.append(Succeeded(number_texts(record, account_name)))
        return outcomes
