"""How many statements does a batch take? As many for a thousand rows as for ten."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from categories.contract import RowAction, Settings
from categories.contract.rows import RowShape
from categories.number_management.category import NumberManagement
from categories.number_management.models import NumberChange, PhoneNumber
from categories.number_management.tests.factories import NOW, make_superadmin
from categories.testing import run_action
from categories.testing.crash_kit.trials import make_context
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

ACTIONS = [action for action in NumberManagement.actions if issubclass(action, RowAction)]
MOST = 7  # read numbers and accounts, insert, update or delete, write the history, savepoints


def make_numbers(accounts: list[Account], count: int) -> None:
    """Give half of the numbers to the accounts in turn; the others do not exist."""
    PhoneNumber.objects.bulk_create(
        PhoneNumber(
            number=f"+1415{n:07}",
            account=accounts[n % len(accounts)],
            state="in_service",
            features={"cnam": {"display_name": f"Old {n}"}},
        )
        for n in range(0, count, 2)
    )


def count_statements(action: type[RowAction], account: Account, count: int) -> int:
    PhoneNumber.objects.all().delete()
    accounts = [AccountFactory.create(parent=account) for _ in range(5)]
    make_numbers(accounts, count)
    names = [column.name for column in action.columns]
    header = [name for name in names if name in {names[0], "account_id", "cnam.outbound"}]
    header += ["opaque.a"] if "opaque.*" in names else []
    values = {"account_id": accounts[0].pk, "opaque.a": "x", "cnam.outbound": "New"}
    cells = [[values.get(name, f"+1415{n:07}") for name in header] for n in range(count)]
    rows = RowShape(action, header).parse_batch(cells, 1)
    context = make_context(account, None, NOW, settings=Settings.of_action(action, {}))
    assert context.auth_account
    statements: list[str] = []

    def watch(execute: Any, sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(watch):
        outcomes = action().process_batch(rows, context)  # type: ignore[arg-type]

    assert len(outcomes) == count
    return len(statements)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_batch_takes_a_handful_of_statements(action: type[RowAction]) -> None:
    account = make_superadmin()

    few, many = (count_statements(action, account, count) for count in (10, 1_000))

    assert few == many <= MOST


@pytest.mark.parametrize("action", ACTIONS)
def test_the_history_has_each_change_of_a_batch(action: type[RowAction]) -> None:
    account = make_superadmin()
    make_numbers([account], 10)
    before = set(PhoneNumber.objects.values_list("number", "account_id", "state", "modified_at"))

    number = action.columns[0].name
    rows = [{number: f"+1415{n:07}"} for n in range(10)]
    if number == "number":
        rows = [{**row, "account_id": account.pk} for row in rows]
    ran = run_action(action, rows, account=account, now=NOW)

    after = set(PhoneNumber.objects.values_list("number", "account_id", "state", "modified_at"))
    changed = {row[0] for row in before ^ after}
    history = NumberChange.objects.values_list("number", flat=True)
    assert sorted(history) == sorted(changed)
    assert len(ran.failures) in {0, 5, 10}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_takes_its_own_output_back(action: type[RowAction]) -> None:
    account = make_superadmin()
    make_numbers([account], 6)
    number = action.columns[0].name
    rows = [{number: f"+1415{n:07}"} for n in range(6)]
    if number == "number":
        rows = [{**row, "account_id": account.pk} for row in rows]
    first = run_action(action, rows, account=account, now=NOW)

    again = run_action(action, first.cells, account=account, now=NOW)

    assert again.header == first.header
    assert [cells[number] for cells in again.cells] == [row[number] for row in rows]
