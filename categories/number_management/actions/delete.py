"""The action `delete`, which removes numbers from the system."""

from __future__ import annotations

from collections.abc import Sequence

from categories.contract import Context, Outcome, Row, RowAction, RowFailed
from categories.number_management.access import require_superadmin
from categories.number_management.batches import NumberBatch
from categories.number_management.columns import E164, NUMBER_COLUMNS
from categories.number_management.errors import MISSING
from categories.number_management.states import NumberState


class Delete(RowAction):
    """Remove numbers from the system, whatever their state.

    Only for the super-duper admin. The output shows each number as it was, in state `deleted`;
    the register of its changes stays.
    """

    columns = (E164,)
    output = NUMBER_COLUMNS
    errors = MISSING
    replaces_header = True

    def permitted(self, context: Context) -> None:
        """Refuse all but the super-duper admin."""
        require_superadmin(context)

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Remove the numbers of a batch; a second row with a number finds none."""
        batch = NumberBatch({row.e164 for row in rows}, (), context, action=self.name)
        outcomes = [remove(row.e164, batch) for row in rows]
        batch.write()
        return outcomes


def remove(number: str, batch: NumberBatch) -> Outcome:
    """Remove a number from the batch; return what it was."""
    try:
        before = batch.find(number)
    except RowFailed as failed:
        return failed
    batch.remove(before, NumberState.DELETED)
    return batch.show(before._replace(state=NumberState.DELETED, modified=batch.second))
