import pytest

from categories.contract import PageAction
from categories.database import copy_out
from categories.number_management.actions import listing
from categories.number_management.actions.dump import DUMPS, Dump
from categories.number_management.actions.import_numbers import ImportNumbers
from categories.number_management.category import NumberManagement
from categories.number_management.models import PhoneNumber
from categories.number_management.states import ASSIGNED, CREATABLE, NumberState
from categories.number_management.tests.factories import PhoneNumberFactory, make_superadmin
from categories.testing import run_action
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
NAMES = ["dump", *(f"dump_{state}" for state in NumberState)]


def test_there_is_a_dump_and_one_per_state() -> None:
    assert [action.name for action in DUMPS] == NAMES
    assert set(DUMPS) <= set(NumberManagement.actions)
    assert len({action.description for action in DUMPS}) == 10


@pytest.mark.parametrize("action", DUMPS)
def test_only_the_super_duper_admin_is_permitted(action: type[PageAction]) -> None:
    PhoneNumberFactory.create()

    ran = run_action(action, account=AccountFactory.create(is_reseller=True))

    assert ran.refused == "requestor is unauthorized to perform operation"
    assert ran.lines == []


def test_dump_lists_the_numbers_of_all_accounts_and_of_none() -> None:
    numbers = [PhoneNumberFactory.create(state=state).number for state in NumberState]

    ran = run_action(Dump, account=make_superadmin())

    assert [cells["e164"] for cells in ran.cells] == sorted(numbers)
    assert [bool(cells["account_name"]) for cells in ran.cells] == [
        state in ASSIGNED for state in NumberState
    ]


@pytest.mark.parametrize("page_size", [1, 2, 100])
@pytest.mark.parametrize("state", NumberState)
def test_each_state_has_its_dump(
    state: NumberState, page_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FIRST_ROWS", page_size)
    monkeypatch.setattr(copy_out, "MAX_GROWTH", 1)
    for each in (*NumberState, *NumberState, *NumberState):
        PhoneNumberFactory.create(state=each)
    action = DUMPS[NAMES.index(f"dump_{state}")]

    ran = run_action(action, account=make_superadmin())

    assert [cells["state"] for cells in ran.cells] == [state] * 3
    assert [cells["e164"] for cells in ran.cells] == sorted(
        PhoneNumber.objects.filter(state=state).values_list("number", flat=True)
    )


@pytest.mark.parametrize("state", NumberState)
def test_a_dumped_number_is_imported_again_or_says_why_not(state: NumberState) -> None:
    admin = make_superadmin()
    PhoneNumberFactory.create(state=state, carrier_module="knm_telnyx", ported_in=True)
    dumped = run_action(Dump, account=admin)
    PhoneNumber.objects.all().delete()
    rows = dumped.cells

    ran = run_action(ImportNumbers, rows, account=admin)

    if state in CREATABLE:
        assert ran.failures == []
        kept = ("e164", "account_id", "state", "carrier_module", "ported_in")
        assert [ran.cells[0][name] for name in kept] == [rows[0][name] for name in kept]
    else:
        assert ran.failures == ["requestor is unauthorized to perform operation"]
