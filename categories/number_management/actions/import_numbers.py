"""The action `import`, which creates numbers from an export."""

from __future__ import annotations

from collections.abc import Sequence

from categories.contract import Context, Outcome, Row, RowAction, RowFailed
from categories.contract.rows import file_columns
from categories.number_management.columns import NUMBER_COLUMNS, find_fields, make_features
from categories.number_management.creating import NumberRequest, create_numbers
from categories.number_management.errors import CREATING, INVALID_ACCOUNT
from categories.number_management.records import NO_FEATURES
from categories.number_management.states import ASSIGNED, NumberState


class ImportNumbers(RowAction):
    """Create numbers from an export.

    Takes the columns that `list` and `find` write. Without `account_id` the task's account gets
    the number. Only the super-duper admin's files choose `state` and `carrier_module`; other
    numbers are put in service, as the output shows.
    `account_name`, `previously_assigned_to`, `created`, `modified` and `used_by` may be there, but
    the system sets them itself.
    """

    name = "import"
    columns = NUMBER_COLUMNS
    output = NUMBER_COLUMNS
    errors = (*CREATING, INVALID_ACCOUNT)
    replaces_header = True

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Create the numbers of a batch; return their new cells."""
        fields = find_fields(file_columns(rows[0])) if rows else []
        chooses = context.auth_account.is_superadmin
        requests: list[NumberRequest] = []
        for row in rows:
            state = (chooses and row.state) or NumberState.IN_SERVICE
            request = NumberRequest(
                number=row.e164,
                account_id=row.account_id or (context.account_id if state in ASSIGNED else None),
                state=state,
                carrier_module=row.carrier_module if chooses else None,
                ported_in=row.ported_in,
                features=make_features(row, fields) if fields else NO_FEATURES,
            )
            requests.append(request)
        batch, created = create_numbers(requests, context, action=self.name)
        return [after if isinstance(after, RowFailed) else batch.show(after) for after in created]
