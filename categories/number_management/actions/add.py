"""The action `add`, which creates numbers and assigns them to accounts."""

from __future__ import annotations

from collections.abc import Sequence

from categories.columns import AccountColumn, ChoiceColumn, E164Column, TextColumn
from categories.contract import Context, Outcome, Row, RowAction, RowFailed, Succeeded
from categories.contract.rows import file_columns
from categories.number_management.columns import (
    CARRIER_MODULE,
    FEATURE_COLUMNS,
    find_fields,
    make_features,
)
from categories.number_management.creating import NumberRequest, create_numbers
from categories.number_management.errors import CREATING
from categories.number_management.records import NO_FEATURES
from categories.number_management.states import ASSIGNED, CREATABLE, NumberState


class Add(RowAction):
    """Create numbers and assign them to accounts.

    A number that is available, aging or being ported in may be added once more; any other that
    exists fails with `number {N} already exists`.
    Numbers are put in service, or reserved when `state` says so; `port_in` and a carrier of its
    own are for the super-duper admin.
    An output column that the file has already is not repeated.
    """

    number = E164Column("Number to add.", mandatory=True, example="+14157215234")
    account_id = AccountColumn("Account that gets it.", mandatory=True)
    state = ChoiceColumn(
        "State to put it in; unset: in_service.",
        choices=[state for state in CREATABLE if state in ASSIGNED],
    )
    columns = (CARRIER_MODULE, *FEATURE_COLUMNS)
    errors = CREATING
    output = (TextColumn("state", "State of the number afterwards.", example="in_service"),)

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Create the numbers of a batch."""
        fields = find_fields(file_columns(rows[0])) if rows else []
        requests = [
            NumberRequest(
                number=row.number,
                account_id=row.account_id,
                state=row.state or NumberState.IN_SERVICE,
                carrier_module=row.carrier_module,
                features=make_features(row, fields) if fields else NO_FEATURES,
            )
            for row in rows
        ]
        # shared by many rows
        succeeded: dict[str, Succeeded] = {state: Succeeded((state,)) for state in CREATABLE}
        _, created = create_numbers(requests, context, action=self.name)
        return [
            after if isinstance(after, RowFailed) else succeeded[after.state] for after in created
        ]
