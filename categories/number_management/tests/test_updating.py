from typing import Any

import pytest

from categories.contract import RowAction
from categories.number_management.actions.updating import UpdateMerge, UpdateOverwrite
from categories.number_management.models import NumberChange, PhoneNumber
from categories.number_management.tests.factories import (
    NOW,
    NUMBER,
    PhoneNumberFactory,
    as_now,
)
from categories.testing import Ran, run_action
from piston.accounts.models import Account

pytestmark = pytest.mark.django_db

OLD = {
    "cnam": {"display_name": "Old", "inbound_lookup": True},
    "e911": {"locality": "Dover"},
    "carrier_name": "Telnyx",
    "own": {"a": "1", "b": {"c": "2"}},
}


def make_number() -> Account:
    """Make the number; return its account."""
    account: Account = PhoneNumberFactory.create(number=NUMBER, features=OLD).account
    return account


def update(action: type[RowAction], *rows: dict[str, Any]) -> Ran:
    account = make_number()
    return run_action(action, [{"e164": NUMBER, **row} for row in rows], account=account, now=NOW)


CELLS = {
    "cnam.outbound": "New",
    "cnam.inbound": "",
    "failover.e164": "+14150000009",
    "force_outbound": "false",
    "opaque.own.b.d": "3",
    "opaque.own.a": "",
    "opaque.new": "4",
    "carrier_name": "",
}


def test_it_takes_the_number_the_carriers_name_the_features_and_opaque_columns() -> None:
    for action in (UpdateMerge, UpdateOverwrite):
        names = [column.name for column in action.columns]

        assert (len(names), names[0], names[-1]) == (19, "e164", "opaque.*")
        assert [column.name for column in action.columns if column.mandatory] == ["e164"]


def test_merging_leaves_unset_cells_and_missing_columns_as_they_are() -> None:
    ran = update(UpdateMerge, CELLS)

    assert ran.failures == []
    assert as_now(NUMBER)["features"] == {
        "cnam": {"display_name": "New", "inbound_lookup": True},
        "e911": {"locality": "Dover"},
        "carrier_name": "Telnyx",
        "own": {"a": "1", "b": {"c": "2", "d": "3"}},
        "new": "4",
        "failover": {"e164": "+14150000009"},
        "force_outbound": False,
    }
    assert (ran.cells[0]["cnam.outbound"], ran.cells[0]["cnam.inbound"]) == ("New", "true")
    assert ran.cells[0]["force_outbound"] == "false"
    assert as_now(NUMBER)["modified_at"] == NOW


def test_overwriting_unsets_what_the_row_does_not_set() -> None:
    ran = update(UpdateOverwrite, CELLS)

    assert ran.failures == []
    assert as_now(NUMBER)["features"] == {
        "cnam": {"display_name": "New"},
        "failover": {"e164": "+14150000009"},
        "force_outbound": False,
        "own": {"b": {"d": "3"}},
        "new": "4",
    }
    assert ran.cells[0]["cnam.inbound"] == ran.cells[0]["e911.locality"] == ""


def test_overwriting_with_the_number_alone_unsets_everything() -> None:
    assert update(UpdateOverwrite, {}).failures == []
    assert as_now(NUMBER)["features"] == {}


def test_a_field_that_held_others_can_become_a_value_and_a_value_can_hold_others() -> None:
    ran = update(UpdateMerge, {"opaque.own": "x"}, {"opaque.own.y.z": "1"})

    assert ran.failures == []
    assert as_now(NUMBER)["features"]["own"] == {"y": {"z": "1"}}


@pytest.mark.parametrize(
    ("action", "cells"),
    [(UpdateMerge, {}), (UpdateMerge, {"cnam.outbound": "Old", "opaque.own.b.c": "2"})],
)
def test_a_row_that_changes_nothing_succeeds_and_leaves_no_trace(
    action: type[RowAction], cells: dict[str, str]
) -> None:
    account = make_number()
    before = as_now(NUMBER)

    ran = run_action(action, [{"e164": NUMBER, **cells}], account=account)

    assert ran.failures == []
    assert as_now(NUMBER) == before
    assert not NumberChange.objects.exists()


def test_rows_of_one_number_are_laid_over_each_other() -> None:
    account = make_number()
    rows = [
        {"e164": NUMBER, "opaque.a": "1", "opaque.b": ""},
        {"e164": NUMBER, "opaque.a": "", "opaque.b": "2"},
    ]

    merged = run_action(UpdateMerge, rows, account=account)
    after_merging = as_now(NUMBER)["features"]
    overwritten = run_action(UpdateOverwrite, rows, account=account)

    assert merged.failures == overwritten.failures == []
    assert (after_merging["a"], after_merging["b"]) == ("1", "2")
    assert as_now(NUMBER)["features"] == {"b": "2"}
    assert NumberChange.objects.count() == 4


def test_a_bad_cell_fails_its_row_only() -> None:
    account = make_number()
    other = PhoneNumberFactory.create(account=account)
    rows = [
        {"e164": NUMBER, "failover.e164": "nobody", "opaque.a": "1"},
        {"e164": other.number, "failover.e164": "", "opaque.a": "x" * 1_001},
        {"e164": NUMBER, "failover.e164": "", "opaque.a": "2"},
    ]

    ran = run_action(UpdateMerge, rows, account=account)

    assert [failure[:28] for failure in ran.failures] == [
        "bad field(s) failover.e164: ", "bad field(s) opaque.a: longe",
    ]  # fmt: skip
    assert as_now(NUMBER)["features"]["a"] == "2"
    assert PhoneNumber.objects.get(pk=other.pk).features == {}
