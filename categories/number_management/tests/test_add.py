from typing import Any

import pytest
from django.db import connection

from categories.contract import Context
from categories.contract.rows import RowShape
from categories.number_management import batches
from categories.number_management.actions.add import Add
from categories.number_management.models import NumberChange, PhoneNumber
from categories.number_management.states import NumberState
from categories.number_management.tests.factories import (
    NOW,
    NUMBER,
    PhoneNumberFactory,
    as_now,
    make_superadmin,
)
from categories.testing import Ran, run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

UNAUTHORIZED = "requestor is unauthorized to perform operation"
EXISTS = f"number {NUMBER} already exists"


def add(*rows: dict[str, Any], by: Account) -> Ran:
    return run_action(Add, rows, account=by, now=NOW)


def wish(account: Account, number: str = NUMBER, **cells: Any) -> dict[str, Any]:
    return {"number": number, "account_id": account.pk, **cells}


def test_the_mandatory_columns_are_in_the_specifications_order() -> None:
    mandatory = [column.name for column in Add.columns if column.mandatory]

    assert mandatory == ["number", "account_id"]


def test_a_number_is_put_in_service_with_its_account() -> None:
    account = AccountFactory.create()

    ran = add(wish(account), by=account)

    assert ran.header == ["number", "account_id", "state", "error"]
    assert ran.lines == [[NUMBER, account.pk, "in_service", ""]]
    assert as_now(NUMBER) | {"id": None} == {
        "id": None,
        "number": NUMBER,
        "account_id": account.pk,
        "previously_assigned_to": None,
        "state": "in_service",
        "created_at": NOW,
        "modified_at": NOW,
        "used_by": None,
        "ported_in": False,
        "carrier_module": "knm_local",
        "features": {},
        "reservations": None,
    }


def test_features_are_stored_where_they_belong() -> None:
    account = AccountFactory.create()
    cells = {"cnam.inbound": True, "cnam.outbound": "Cafe", "e911.name": "Ann", "prepend.name": ""}

    add(wish(account, **cells, force_outbound=False), by=account)

    assert as_now(NUMBER)["features"] == {
        "cnam": {"inbound_lookup": True, "display_name": "Cafe"},
        "e911": {"caller_name": "Ann"},
        "force_outbound": False,
    }


def test_the_register_tells_what_happened() -> None:
    parent = AccountFactory.create()
    child = AccountFactory.create(parent=parent)

    add(wish(child), by=parent)

    (change,) = NumberChange.objects.values()
    assert change | {"id": None} == {
        "id": None,
        "number": NUMBER,
        "action": "add",
        "from_state": None,
        "to_state": "in_service",
        "from_account": None,
        "to_account": child.pk,
        "by_account": parent.pk,
        "task_id": "0" * 30,
        "at": NOW,
    }


def test_an_unknown_account_fails_its_row_only() -> None:
    account = AccountFactory.create()
    unknown = "f" * 32

    ran = add({"number": NUMBER, "account_id": unknown}, wish(account, "+14157215235"), by=account)

    assert ran.lines == [
        [NUMBER, unknown, "", f"account {unknown} not found"],
        ["+14157215235", account.pk, "in_service", ""],
    ]
    assert not PhoneNumber.objects.filter(number=NUMBER).exists()


def test_accounts_below_may_be_given_numbers_and_others_not() -> None:
    parent = AccountFactory.create()
    child = AccountFactory.create(parent=parent)
    stranger = AccountFactory.create()

    ran = add(
        wish(child, "+14150000001"),
        wish(stranger, "+14150000002"),
        by=parent,
    )
    upwards = add(wish(parent, "+14150000003"), by=child)

    assert ran.failures == [UNAUTHORIZED]
    assert upwards.failures == [UNAUTHORIZED]
    assert list(PhoneNumber.objects.values_list("number", flat=True)) == ["+14150000001"]


def test_the_super_duper_admin_gives_numbers_to_everybody() -> None:
    stranger = AccountFactory.create()

    ran = add(wish(stranger, state="port_in", carrier_module="knm_telnyx"), by=make_superadmin())

    assert ran.failures == []
    assert as_now(NUMBER)["state"] == "port_in"
    assert as_now(NUMBER)["carrier_module"] == "knm_telnyx"


def test_everybody_may_reserve() -> None:
    account = AccountFactory.create()

    ran = add(wish(account, state="reserved"), by=account)

    assert ran.failures == []
    assert as_now(NUMBER)["state"] == "reserved"
    assert as_now(NUMBER)["reservations"] == account.pk


def test_an_empty_state_cell_is_filled_in() -> None:
    account = AccountFactory.create()

    ran = add(wish(account, state=""), wish(account, "+14150000001", state="reserved"), by=account)

    assert ran.header == ["number", "account_id", "state", "error"]
    assert [line[2] for line in ran.lines] == ["in_service", "reserved"]


@pytest.mark.parametrize("cells", [{"state": "port_in"}, {"carrier_module": "knm_telnyx"}])
def test_other_states_and_carriers_are_for_the_super_duper_admin(cells: dict[str, str]) -> None:
    account = AccountFactory.create()

    ran = add(wish(account, **cells), by=account)

    assert ran.failures == [UNAUTHORIZED]


@pytest.mark.parametrize("state", ["available", "deleted", "nonsense"])
def test_states_without_an_account_are_no_choice(state: str) -> None:
    account = make_superadmin()

    ran = add(wish(account, state=state), by=account)

    assert ran.failures == ["bad field(s) state: not one of in_service, port_in, reserved"]


CANNOT_BE_ADDED = [NumberState.IN_SERVICE, NumberState.RESERVED, NumberState.RELEASED,
                   NumberState.DISCOVERY, NumberState.DELETED]  # fmt: skip


@pytest.mark.parametrize("state", CANNOT_BE_ADDED)
def test_a_number_that_exists_is_left_alone(state: NumberState) -> None:
    account = make_superadmin()
    PhoneNumberFactory.create(number=NUMBER, state=state)
    before = as_now(NUMBER)

    ran = add(wish(account), by=account)

    assert ran.failures == [EXISTS]
    assert as_now(NUMBER) == before
    assert not NumberChange.objects.exists()


@pytest.mark.parametrize("state", [NumberState.AVAILABLE, NumberState.AGING])
def test_a_number_of_nobody_may_be_taken_by_anybody(state: NumberState) -> None:
    account = AccountFactory.create()
    PhoneNumberFactory.create(
        number=NUMBER, state=state, features={"cnam": {"display_name": "Old"}, "x": 1}
    )

    ran = add(wish(account, **{"cnam.inbound": True}), by=account)

    assert ran.failures == []
    now = as_now(NUMBER)
    assert (now["state"], now["account_id"]) == ("in_service", account.pk)
    assert now["features"] == {"cnam": {"display_name": "Old", "inbound_lookup": True}, "x": 1}
    assert NumberChange.objects.get().from_state == state


@pytest.mark.parametrize("state", [NumberState.AVAILABLE, NumberState.AGING, NumberState.PORT_IN])
def test_only_the_super_duper_admin_changes_the_carrier_of_a_number(state: NumberState) -> None:
    account, admin = AccountFactory.create(), make_superadmin()
    owner = account if state == NumberState.PORT_IN else None
    PhoneNumberFactory.create(
        number=NUMBER, state=state, account=owner, carrier_module="knm_telnyx"
    )

    refused = add(wish(account, carrier_module="knm_local"), by=account)
    changed = add(wish(account, carrier_module="knm_local"), by=admin)

    assert (refused.failures, changed.failures) == ([UNAUTHORIZED], [])
    assert as_now(NUMBER)["carrier_module"] == "knm_local"


def test_an_aging_number_cannot_be_reserved() -> None:
    account = AccountFactory.create()
    PhoneNumberFactory.create(number=NUMBER, state=NumberState.AGING)

    ran = add(wish(account, state="reserved"), by=account)

    assert ran.failures == ["invalid state transition"]


def test_a_port_is_ended_by_whoever_may_act_on_its_account() -> None:
    parent = AccountFactory.create()
    child = AccountFactory.create(parent=parent)
    PhoneNumberFactory.create(number=NUMBER, state=NumberState.PORT_IN, account=child)

    ran = add(wish(parent), by=parent)

    now = as_now(NUMBER)
    assert ran.failures == []
    assert (now["account_id"], now["previously_assigned_to"]) == (parent.pk, child.pk)


@pytest.mark.parametrize("state", [NumberState.PORT_IN, NumberState.PORT_OUT])
def test_a_port_of_another_tenant_cannot_be_taken_over(state: NumberState) -> None:
    account = AccountFactory.create()
    PhoneNumberFactory.create(number=NUMBER, state=state)
    before = as_now(NUMBER)

    ran = add(wish(account), by=account)

    assert ran.failures == [f"number {NUMBER} is porting"]
    assert as_now(NUMBER) == before


def test_a_number_that_is_ported_away_cannot_be_added_by_anybody() -> None:
    account = make_superadmin()
    PhoneNumberFactory.create(number=NUMBER, state=NumberState.PORT_OUT, account=account)

    assert add(wish(account), by=account).failures == [f"number {NUMBER} is porting"]


@pytest.mark.parametrize("number", ["+911", "+112", "+999999999999999", "+4420794", "+1415721523"])
def test_emergency_test_and_incomplete_numbers_are_refused(number: str) -> None:
    account = make_superadmin()

    ran = add(wish(account, number), wish(account), by=account)

    assert [line[-1] for line in ran.lines] == [f"number {number} is not reconcilable", ""]
    assert PhoneNumber.objects.get().number == NUMBER


@pytest.mark.parametrize("is_own", [True, False])
def test_an_account_that_may_not_create_numbers_is_refused(is_own: bool) -> None:
    account = AccountFactory.create(allows_number_additions=False)
    target = account if is_own else AccountFactory.create(parent=account)

    ran = add(wish(target), wish(target, state="reserved"), by=account)

    assert [line[-1] for line in ran.lines] == [UNAUTHORIZED] * 2


def test_the_flag_is_that_of_the_acting_account() -> None:
    parent = AccountFactory.create()
    child = AccountFactory.create(parent=parent, allows_number_additions=False)
    admin = AccountFactory.create(is_superadmin=True, allows_number_additions=False)

    by_parent = add(wish(child), by=parent)
    by_admin = add(wish(child, "+14150000001"), by=admin)

    assert by_parent.failures == by_admin.failures == []


def test_two_rows_on_one_number_are_as_if_run_one_after_the_other() -> None:
    first, second = AccountFactory.create_batch(2)
    PhoneNumberFactory.create(number="+14150000001", state=NumberState.AVAILABLE)

    ran = add(
        wish(first), wish(second), wish(first, "+14150000001"), wish(second, "+14150000001"),
        by=make_superadmin(),
    )  # fmt: skip

    assert [cells["error"] for cells in ran.cells] == [
        "", EXISTS, "", "number +14150000001 already exists",
    ]  # fmt: skip
    assert as_now(NUMBER)["account_id"] == first.pk
    assert as_now("+14150000001")["account_id"] == first.pk


def test_a_batch_takes_as_many_statements_for_a_thousand_rows_as_for_ten() -> None:
    account = make_superadmin()
    PhoneNumberFactory.create(number="+14150000000", state=NumberState.AVAILABLE)

    few = count_statements(account, range(10))
    many = count_statements(account, range(1_000))

    assert few == many
    assert many <= 10


def count_statements(account: Account, numbers: range) -> int:
    """Return how many statements adding takes, of which the first is a number to update."""
    PhoneNumber.objects.exclude(state=NumberState.AVAILABLE).delete()
    PhoneNumberFactory.create(number="+14159999999", state=NumberState.AVAILABLE)
    cells = [[f"+1415{n:07}", account.pk] for n in numbers] + [["+14159999999", account.pk]]
    rows = RowShape(Add, ["number", "account_id"]).parse_batch(cells, 1)
    context = Context(account_id=account.pk, auth_account_id=account.pk, task_id="a" * 30)
    statements: list[str] = []

    def count(execute: Any, sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(count):
        outcomes = Add().process_batch(rows, context)  # type: ignore[arg-type]

    assert len(outcomes) == len(numbers) + 1
    return len(statements)


def test_a_number_that_another_task_adds_meanwhile_fails_as_existing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = AccountFactory.create()
    read_records = batches.read_records

    def read_then_lose_the_race(*args: Any, **kwargs: Any) -> Any:
        found = read_records(*args, **kwargs)
        monkeypatch.setattr(batches, "read_records", read_records)
        PhoneNumberFactory.create(number=NUMBER)
        return found

    monkeypatch.setattr(batches, "read_records", read_then_lose_the_race)

    # here the other task's number is inserted in the batch's own savepoint, so it is rolled back
    # with the first attempt, and the number is free at the second
    ran = add(wish(account), wish(account, "+14150000001"), by=account)

    assert ran.failures == []
    assert PhoneNumber.objects.count() == 2
