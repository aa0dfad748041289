"""The action `import`, which creates numbers from an export."""

from __future__ import annotations

from collections.abc import Sequence

from categories.contract import Context, Outcome, Row, RowAction, RowFailed, Succeeded
from categories.contract.rows import file_columns
from categories.number_management.access import UNAUTHORIZED
from categories.number_management.columns import NUMBER_COLUMNS, features_given, make_features
from categories.number_management.creating import NumberRequest, create_numbers
from categories.number_management.records import number_cells, read_account_names
from categories.number_management.states import ASSIGNED, NumberState


class ImportNumbers(RowAction):
    """Create numbers from an export.

    Takes the columns that `list` and `find` write. Without `account_id` the task's account gets
    the number. `state` and `carrier_module` other than `in_service` and `knm_local` are for the
    super-duper admin.
    `account_name`, `previously_assigned_to`, `created`, `modified` and `used_by` may be there, but
    the system sets them itself.
    """

    name = "import"
    columns = NUMBER_COLUMNS
    output = NUMBER_COLUMNS
    replaces_header = True

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Create the numbers of a batch; return their new cells."""
        given = features_given(file_columns(rows[0])) if rows else []
        may_reserve = context.auth_account.is_superadmin
        outcomes: dict[int, Outcome] = {}
        requests: dict[int, NumberRequest] = {}
        for index, row in enumerate(rows):
            state = row.state or NumberState.IN_SERVICE
            if state != NumberState.IN_SERVICE and not may_reserve:
                outcomes[index] = RowFailed(UNAUTHORIZED)
                continue
            requests[index] = NumberRequest(
                number=row.e164,
                account_id=row.account_id or default_account(state, context),
                state=state,
                carrier_module=row.carrier_module,
                ported_in=row.ported_in,
                features=make_features(row, given),
            )
        created = create_numbers(list(requests.values()), context, action=self.name)
        names = read_account_names(
            (after.account_id for after in created if not isinstance(after, RowFailed)),
            using=context.database,
        )
        for index, after in zip(requests, created, strict=True):
            outcomes[index] = (
                after
                if isinstance(after, RowFailed)
                else Succeeded(number_cells(after, names.get(after.account_id or "")))
            )
        return [outcomes[index] for index in range(len(rows))]


def default_account(state: str, context: Context) -> str | None:
    """Return the account for a row without one: the task's, if the state needs an account."""
    return context.account_id if state in ASSIGNED else None
