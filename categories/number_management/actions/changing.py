"""The base of the actions that change existing numbers, row by row in memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from categories.columns import Column
from categories.contract import Context, Outcome, Row, RowAction, RowFailed
from categories.number_management.batches import NumberBatch
from categories.number_management.columns import ACCOUNT_ID, E164, NUMBER_COLUMNS
from categories.number_management.records import NumberRecord

# returns the number after a row, or raises RowFailed
Change = Callable[[Row, NumberRecord], NumberRecord]


class ChangeNumbers(RowAction, abstract=True):
    """Change existing numbers; the output shows each number afterwards."""

    columns: ClassVar[Sequence[Column[Any]]] = (E164,)
    output = NUMBER_COLUMNS
    replaces_header = True
    written: ClassVar[Sequence[str]]  # the fields that the action changes

    @abstractmethod
    def find_change(self, rows: Sequence[Row], batch: NumberBatch) -> Change:
        """Return what a row of this batch does to its number."""

    def find_accounts(self, rows: Sequence[Row], context: Context) -> Iterator[str]:
        """Yield the accounts that the rows name."""
        yield from ()

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Change the numbers of a batch."""
        numbers = {row.e164 for row in rows}
        accounts = self.find_accounts(rows, context)
        batch = NumberBatch(numbers, accounts, context, action=self.name)
        change = self.find_change(rows, batch)
        outcomes = [change_row(row, change, batch) for row in rows]
        batch.write(self.written)
        return outcomes


def change_row(row: Row, change: Change, batch: NumberBatch) -> Outcome:
    """Change the number of a row in the batch."""
    try:
        before = batch.find(row.e164)
        after = change(row, before)
    except RowFailed as failed:
        return failed
    batch.put(before, after)
    return batch.show(after)


class MoveNumbers(ChangeNumbers, abstract=True):
    """Change numbers to an account, the task's unless the row names another."""

    columns = (ACCOUNT_ID.but(help="Account that gets it; unset: the task's account."),)
    written = (
        "account_id", "state", "previously_assigned_to", "used_by", "reservations",
    )  # fmt: skip

    def find_accounts(self, rows: Sequence[Row], context: Context) -> Iterator[str]:
        """Yield the accounts that get the numbers."""
        yield context.account_id
        yield from {row.account_id for row in rows if row.account_id is not None}
