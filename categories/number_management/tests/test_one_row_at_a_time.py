"""Does a file that repeats numbers give what its rows would give one at a time?"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from categories.contract import RowAction
from categories.number_management.category import NumberManagement
from categories.number_management.models import NumberChange, PhoneNumber
from categories.number_management.states import ASSIGNED, NumberState
from categories.number_management.tests.factories import NOW, make_superadmin
from categories.testing import run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory
from tests.patience import many

pytestmark = pytest.mark.django_db

ACTIONS = [action for action in NumberManagement.actions if issubclass(action, RowAction)]
NUMBERS = [*(f"+1415000000{n}" for n in range(3)), "+911"]
PLACES = range(4)  # of the accounts of `make_accounts`
FEATURES: list[dict[str, Any]] = [{}, {"cnam": {"display_name": "Old"}, "own": {"a": "1"}}]

numbers = st.fixed_dictionaries(
    {
        "state": st.sampled_from(NumberState),
        "holder": st.sampled_from(PLACES),
        "reserved_by": st.lists(st.sampled_from(PLACES), max_size=3, unique=True),
        "carrier_module": st.sampled_from(["knm_local", "knm_telnyx", "knm_mdn"]),
        "features": st.sampled_from(FEATURES),
    }
)
registers = st.lists(st.none() | numbers, min_size=3, max_size=3)
CELLS = {
    "account_id": st.sampled_from(["", *PLACES, "f" * 32]),
    "state": st.sampled_from(["", "in_service", "reserved", "port_in", "available"]),
    "carrier_module": st.sampled_from(["", "knm_local", "knm_telnyx", "knm_mdn"]),
    "cnam.outbound": st.sampled_from(["", "Cafe"]),
    "carrier_name": st.sampled_from(["", "Telnyx"]),
    "opaque.own.a": st.sampled_from(["", "2"]),
    "opaque.own": st.sampled_from(["", "", "x"]),
}


def make_accounts() -> list[Account]:
    """Return the super-duper admin, an account, one below it, and a stranger."""
    account = AccountFactory.create()
    below = AccountFactory.create(parent=account)
    return [make_superadmin(), account, below, AccountFactory.create()]


def make_numbers(register: list[dict[str, Any] | None], accounts: list[Account]) -> None:
    """Make the numbers that a register describes."""
    for number, described in zip(NUMBERS, register, strict=False):
        if described:
            state = described["state"]
            PhoneNumber.objects.create(
                number=number,
                state=state,
                account=accounts[described["holder"]] if state in ASSIGNED else None,
                reservations=" ".join(accounts[n].pk for n in described["reserved_by"]) or None,
                carrier_module=described["carrier_module"],
                features=described["features"],
                created_at=NOW,
                modified_at=NOW,
            )


def rows_of(action: type[RowAction]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return files of a few numbers, with cells for the action's columns."""
    columns = [column.name for column in action.columns]
    cells = {name: cell for name, cell in CELLS.items() if name in columns}
    if "opaque.*" in columns:
        cells |= {name: cell for name, cell in CELLS.items() if name.startswith("opaque.")}
    row = st.fixed_dictionaries({columns[0]: st.sampled_from(NUMBERS), **cells})
    return st.lists(row, min_size=1, max_size=8)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_batch_gives_what_its_rows_give_one_at_a_time(action: type[RowAction]) -> None:
    accounts = make_accounts()

    @settings(max_examples=many(40), deadline=None)
    @given(registers, rows_of(action), st.sampled_from(PLACES), st.sampled_from([2, 100]))
    def check(
        register: list[dict[str, Any] | None], rows: list[dict[str, Any]], acting: int, size: int
    ) -> None:
        for row in rows:
            if isinstance(row.get("account_id"), int):
                row["account_id"] = accounts[row["account_id"]].pk

        def run(batch_size: int) -> object:
            with transaction.atomic():
                make_numbers(register, accounts)
                ran = run_action(
                    action, rows, account=accounts[acting], now=NOW, batch_size=batch_size
                )
                stored = sorted(map(str, PhoneNumber.objects.values_list(*FIELDS)))
                history = list(NumberChange.objects.order_by("id").values_list(*HISTORY))
                transaction.set_rollback(True)
                return ran.lines, ran.refused, stored, history

        assert run(size) == run(1)

    check()


FIELDS = [field.name for field in PhoneNumber._meta.fields if field.name != "id"]
HISTORY = [field.name for field in NumberChange._meta.fields if field.name != "id"]
