"""The action `delete`, which removes numbers from the system."""

from __future__ import annotations

from collections.abc import Sequence

from categories.contract import Context, Outcome, Row, RowAction, RowFailed, Succeeded
from categories.database.bulk import listed
from categories.number_management.access import require_superadmin
from categories.number_management.changes import Change, add_changes
from categories.number_management.columns import E164, NUMBER_COLUMNS
from categories.number_management.models import PhoneNumber
from categories.number_management.records import number_cells, read_account_names, read_records
from categories.number_management.states import NumberState


class Delete(RowAction):
    """Remove numbers from the system, whatever their state.

    Only for the super-duper admin. The output shows each number as it was, in state `deleted`;
    the register of its changes stays.
    """

    columns = (E164,)
    output = NUMBER_COLUMNS
    replaces_header = True

    def permitted(self, context: Context) -> None:
        """Refuse all but the super-duper admin."""
        require_superadmin(context)

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Remove the numbers of a batch."""
        using = context.database
        records = read_records({row.e164 for row in rows}, using=using, lock=True)
        names = read_account_names((record.account_id for record in records.values()), using=using)
        now = context.now()
        outcomes: list[Outcome] = []
        changes: list[Change] = []
        for row in rows:
            record = records.pop(row.e164, None)  # a second row with the number finds none
            if record is None:
                outcomes.append(RowFailed(f"number {row.e164} not found"))
                continue
            changes.append(
                Change(
                    number=record.number,
                    action=self.name,
                    from_state=record.state,
                    to_state=NumberState.DELETED,
                    from_account=record.account_id,
                    to_account=None,
                    by_account=context.auth_account_id,
                    task_id=context.task_id,
                    at=now,
                )
            )
            record.state, record.modified_at = NumberState.DELETED, now
            outcomes.append(Succeeded(number_cells(record, names.get(record.account_id or ""))))
        PhoneNumber.objects.using(using).filter(
            number__in=listed([change.number for change in changes], using=using)
        ).delete()
        add_changes(changes, using=using)
        return outcomes
