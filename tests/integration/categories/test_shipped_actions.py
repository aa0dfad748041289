"""Does every action that ships survive crashes? A new action without a case fails here."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from categories.contract import Action
from categories.number_management.states import NumberState
from categories.number_management.tests.factories import NOW, PhoneNumberFactory, make_superadmin
from categories.rates.tests.factories import RatedeckFactory, RateFactory
from categories.services.models import ServiceQuantity
from categories.testing import assert_survives_crashes, run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

Prepared = dict[str, Any]  # arguments of `assert_survives_crashes`, and `failures`, a count of rows


def shipped() -> Iterator[tuple[str, type[Action]]]:
    """Yield every action of the categories that ship, by `category.action`."""
    for path in settings.PISTON_CATEGORIES:
        category = import_string(path)
        for action in category.actions:
            yield f"{category.name}.{action.name}", action


ACTIONS = dict(shipped())


def prepare_add() -> Prepared:
    """Numbers that are new, exist already, or are not for this account; one of them twice."""
    account = make_superadmin()
    PhoneNumberFactory.create(number="+14150000002", state=NumberState.AVAILABLE)
    PhoneNumberFactory.create(number="+14150000004")
    places = [0, 1, 2, 0, 3, 4]
    rows = [{"number": f"+1415000000{n}", "account_id": account.pk} for n in places]
    rows.append({"number": "no number", "account_id": account.pk})
    return {"rows": rows, "account": account, "failures": 3}


def prepare_import() -> Prepared:
    """The same, and a state that only the super-duper admin may set."""
    account = AccountFactory.create()
    PhoneNumberFactory.create(number="+14150000004")
    rows = [{"e164": f"+1415000000{n}"} for n in (0, 1, 2, 0, 3, 4)]
    rows.append({"e164": "no number"})
    return {"rows": rows, "account": account, "failures": 3}


def prepare_numbers(parent: Account) -> None:
    """Give numbers to an account and to those below it."""
    child = AccountFactory.create(parent=parent)
    for owner in (parent, child, parent, child, parent):
        PhoneNumberFactory.create(account=owner)
    PhoneNumberFactory.create(state=NumberState.AVAILABLE)


def prepare_list() -> Prepared:
    """Several pages of numbers."""
    account = AccountFactory.create()
    prepare_numbers(account)
    page_size = "categories.number_management.actions.listing.FIRST_ROWS"
    return {"account": account, "page_size": page_size, "failures": 0}


def prepare_find() -> Prepared:
    """Numbers that exist, appear twice, are missing, belong to another account, or are invalid."""
    account = AccountFactory.create()
    for n in range(3):
        PhoneNumberFactory.create(number=f"+1415000000{n}", account=account)
    PhoneNumberFactory.create(number="+14150000004")
    rows = [{"e164": f"+1415000000{n}"} for n in (0, 1, 0, 3, 4, 2)]
    rows.append({"e164": "no number"})
    return {"rows": rows, "account": account, "failures": 3}


def prepare_delete() -> Prepared:
    """Numbers that exist, appear twice, are missing, or are invalid."""
    for n in range(4):
        PhoneNumberFactory.create(number=f"+1415000000{n}")
    rows = [{"e164": f"+1415000000{n}"} for n in (0, 1, 0, 2, 5, 3)]
    rows.append({"e164": "no number"})
    return {"rows": rows, "account": make_superadmin(), "failures": 3}


def prepare_changes() -> Prepared:
    """Numbers of the account and below, of nobody, in other states; one twice; bad ones."""
    account = AccountFactory.create()
    child = AccountFactory.create(parent=account)
    for n, state in enumerate(("reserved", "in_service", "reserved", "port_in")):
        holder = child if n < 3 else account
        PhoneNumberFactory.create(
            number=f"+1415000000{n}",
            state=state,
            account=holder,
            reservations=f"{child.pk} {account.pk}",
            features={"cnam": {"display_name": "Old"}, "own": "x"},
        )
    PhoneNumberFactory.create(number="+14150000004")
    rows = [{"e164": f"+1415000000{n}"} for n in (0, 1, 4, 0, 2, 1, 3, 5)]
    rows.append({"e164": "no number"})
    return {"rows": rows, "account": account, "failures": 3}


def prepare_assign() -> Prepared:
    """The same, to the account and to one below it."""
    prepared = prepare_changes()
    child = prepared["account"].children.get()
    for row in prepared["rows"][3:5]:
        row["account_id"] = child.pk
    return prepared


def prepare_reserve() -> Prepared:
    """The same, of which a number that is being ported and one row too many fail."""
    prepared = prepare_changes()
    prepared["rows"] += [{"e164": "+14150000001", "account_id": prepared["account"].pk}] * 2
    return {**prepared, "failures": 8}


def prepare_release() -> Prepared:
    """The same; a second release of a number is for the account that got it back."""
    return {**prepare_changes(), "failures": 3}


def prepare_update() -> Prepared:
    """The same with features, a carrier's name and fields of its own; some cells unset."""
    prepared = prepare_changes()
    for n, row in enumerate(prepared["rows"]):
        row |= {"cnam.outbound": f"Cafe {n}" if n % 2 else "", "carrier_name": "Telnyx"}
        row |= {"opaque.own": "y" if n % 3 else "", "opaque.a.b": str(n)}
    return prepared


def prepare_dump() -> Prepared:
    """Numbers in every state."""
    for state in (*NumberState, *NumberState, *NumberState):
        PhoneNumberFactory.create(state=state)
    return {**prepare_list(), "account": make_superadmin()}


def prepare_descendant_quantities() -> Prepared:
    """Months of accounts below, one of which has none."""
    parent = AccountFactory.create()
    for months in (3, 0, 2):
        child = AccountFactory.create(parent=parent)
        for month in range(1, months + 1):
            ServiceQuantity.objects.create(
                account=child, year=2026, month=month, bom={"users": {"user": month, "admin": 1}}
            )
    page_size = "categories.services.actions.descendant_quantities.MONTHS_AT_A_TIME"
    return {"account": parent, "page_size": page_size, "failures": 0}


def prepare_import_rates() -> Prepared:
    """Rates of two decks that are new, changed, repeated or bad."""
    reseller = AccountFactory.create(is_reseller=True)
    deck = RatedeckFactory.create(account=reseller, name="gold")
    RateFactory.create(ratedeck=deck, prefix="2")
    cells = [("1", "0.1"), ("2", "0.2"), ("1", "0.3"), ("x", "0.1"), ("3", "0.4"), ("4", "cheap")]
    rows = [
        {"prefix": prefix, "rate_cost": cost, "ratedeck_id": "new" if prefix == "3" else "gold"}
        for prefix, cost in cells
    ]
    return {"rows": rows, "account": reseller, "failures": 2}


def prepare_export() -> Prepared:
    """Rates of three decks, one of them empty."""
    reseller = AccountFactory.create(is_reseller=True)
    for name, count in (("gold", 3), ("empty", 0), ("silver", 2)):
        deck = RatedeckFactory.create(account=reseller, name=name)
        for prefix in range(1, count + 1):
            RateFactory.create(ratedeck=deck, prefix=str(prefix))
    page_size = "categories.rates.actions.export.FIRST_ROWS"
    return {"account": reseller, "page_size": page_size, "failures": 0}


def prepare_delete_rates() -> Prepared:
    """Rates that are there, appear twice, differ, or are missing."""
    reseller = AccountFactory.create(is_reseller=True)
    deck = RatedeckFactory.create(account=reseller, name="gold")
    for prefix, suffix in (("1", ""), ("1", "-night"), ("2", ""), ("3", ""), ("4", "")):
        RateFactory.create(ratedeck=deck, prefix=prefix, rate_id=f"XX-{prefix}{suffix}")
    rows = [
        {"prefix": prefix, "rate_cost": cost, "ratedeck_id": "gold"}
        for prefix, cost in (("1", ""), ("2", "0.05"), ("1", ""), ("3", "9"), ("x", ""), ("4", ""))
    ]
    return {"rows": rows, "account": reseller, "failures": 3}


def prepare_rate() -> Prepared:
    """Numbers with a rate, without one, and none."""
    reseller = AccountFactory.create(is_reseller=True)
    deck = RatedeckFactory.create(account=reseller, name="ratedeck")
    for prefix in ("1", "1415", "44"):
        RateFactory.create(ratedeck=deck, prefix=prefix)
    numbers = ["+14157215234", "+12015550123", "+4915123", "+447700900123", "no number"]
    return {
        "rows": [{"number": number} for number in numbers],
        "account": reseller,
        "failures": 2,
    }


CASES: dict[str, Callable[[], Prepared]] = {
    "number_management.add": prepare_add,
    "number_management.import": prepare_import,
    "number_management.list": prepare_list,
    "number_management.list_all": prepare_list,
    "number_management.find": prepare_find,
    "number_management.delete": prepare_delete,
    "number_management.assign_to": prepare_assign,
    "number_management.reserve": prepare_reserve,
    "number_management.release": prepare_release,
    "number_management.update_merge": prepare_update,
    "number_management.update_overwrite": prepare_update,
    "number_management.dump": prepare_dump,
    **{f"number_management.dump_{state}": prepare_dump for state in NumberState},
    "services.descendant_quantities": prepare_descendant_quantities,
    "rates.import": prepare_import_rates,
    "rates.delete": prepare_delete_rates,
    "rates.export": prepare_export,
    "rates.rate": prepare_rate,
}


def test_every_action_that_ships_has_a_case_here_and_no_other() -> None:
    assert sorted(CASES) == sorted(ACTIONS)


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_it_survives_crashes(name: str) -> None:
    prepared = CASES[name]()
    prepared.pop("failures")

    assert assert_survives_crashes(ACTIONS[name], now=NOW, seconds=None, **prepared) > 10


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_its_case_has_rows_that_succeed_and_rows_that_fail(name: str) -> None:
    prepared = CASES[name]()
    rows, account = prepared.get("rows", ()), prepared["account"]

    ran = run_action(ACTIONS[name], rows, account=account, now=NOW)

    assert len(ran.failures) == prepared["failures"]
    assert len(ran.lines) >= len(ran.failures) + 3
