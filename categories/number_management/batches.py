"""Keeps the numbers of a batch in memory, where its rows change them one after the other.

The result is then written in a few statements. So rows for the same number behave as if each was
written before the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from categories.contract import Context, RowFailed, Succeeded
from categories.number_management.access import read_rights
from categories.number_management.changes import Change, add_changes
from categories.number_management.errors import describe_missing
from categories.number_management.output import number_texts
from categories.number_management.records import (
    NumberRecord,
    delete_numbers,
    insert_records,
    read_records,
    update_records,
)
from piston.gregorian import to_gregorian


class NumberBatch:
    """The numbers of one batch, in their state after the rows that were taken so far."""

    def __init__(
        self,
        numbers: Collection[str],
        accounts: Iterable[str | None],
        context: Context,
        *,
        action: str,
    ) -> None:
        self.context = context
        self.action = action
        self.now = context.now()
        self.second = to_gregorian(self.now)
        self.records = read_records(numbers, using=context.database, lock=True)
        self.old = frozenset(self.records)
        self.touched: dict[str, NumberRecord] = {}
        self.removed: list[str] = []
        self.changes: list[Change] = []
        self._occasion = (context.auth_account_id, context.task_id, self.now)
        concerned = set(accounts)
        for record in self.records.values():
            concerned.add(record.account_id)
            concerned.update(record.reserved_by)
        self.rights = read_rights(context, concerned)

    def find(self, number: str) -> NumberRecord:
        """Return the number as it is now; raise RowFailed if there is none."""
        record = self.records.get(number)
        if record is None:
            raise RowFailed(describe_missing(number))
        return record

    def put(self, before: NumberRecord | None, after: NumberRecord) -> None:
        """Replace a number's record by a changed one, or add a new one."""
        if after is before:
            return
        number = after.number
        self.records[number] = self.touched[number] = after
        self._add_change(number, before, after.state, after.account_id)

    def remove(self, before: NumberRecord, state: str) -> None:
        """Remove a number; its history ends with this state."""
        del self.records[before.number]
        self.removed.append(before.number)
        self._add_change(before.number, before, state, None)

    def _add_change(
        self, number: str, before: NumberRecord | None, state: str, account_id: str | None
    ) -> None:
        old_state, old_account = (before.state, before.account_id) if before else (None, None)
        change = (number, self.action, old_state, state, old_account, account_id)
        self.changes.append(Change._make(change + self._occasion))

    def show(self, record: NumberRecord) -> Succeeded:
        """Return the outcome of a row that shows the number."""
        return Succeeded(number_texts(record, self.rights.names.get(record.account_id or "")))

    def write(self, fields: Sequence[str] = ()) -> None:
        """Write new numbers, the named fields of changed ones, removals, and the history."""
        using, now = self.context.database, self.now
        new = [record for number, record in self.touched.items() if number not in self.old]
        changed = [record for number, record in self.touched.items() if number in self.old]
        insert_records(new, now, using=using)
        update_records(changed, fields, now, using=using)
        if self.removed:
            delete_numbers(self.removed, using=using)
        add_changes(self.changes, using=using)
