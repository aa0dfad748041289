"""What does the listing of descendants' quantities hold? (docs/spec/tasks-api.txt)"""

import json
import tracemalloc
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from categories.contract import Effects
from categories.contract.help_and_template import describe_action
from categories.services.actions import DescendantQuantities, descendant_quantities
from categories.services.actions.descendant_quantities import unite
from categories.services.models import ServiceQuantity
from categories.testing import run_action
from categories.testing.crash_kit.trials import make_context
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

# the specification's text, as it stands in its JSON example
DOC = (
    r'"Attempts to create a month-on-month listing of quantities used by descendant accounts.\nThis'
    r" task returns the following fields:\n* `account_id`: a sub-account of the creator of this"
    r" task.\n* `year`: integral year as 4 characters.\n* `month`: integral month as 2 characters"
    r" (left-padded with a zero).\n* `category`: name of the quantity's category.\n* `item`: name"
    r" of the category's item.\n* `quantity_bom`: integral quantity's value or empty.\n*"
    r" `quantity_eom`: integral quantity's value or empty.\nNote: some beginning-of-month and"
    r" end-of-month quantities documents may be missing.\nNote: when both an account's BoM & EoM"
    r" documents for a given month are missing, no rows are a created for this month.\nNote: in all"
    r" other cases the documents' value is printed verbatim: if unset the empty string is"
    r" returned.\nE.g.: an integer quantity (such as 1, 10 or 0 (zero)) represents was the system"
    r' has. If no quantity was found, the empty value is used.\n"'
)


@pytest.fixture
def parent() -> Account:
    return AccountFactory()


def list_quantities(account: Account) -> list[tuple[str, ...]]:
    """Return the cells of the output."""
    return [tuple(line) for line in run_action(DescendantQuantities, account=account).lines]


def store(account: Account, year: int, month: int, **documents: Any) -> None:
    ServiceQuantity.objects.create(account=account, year=year, month=month, **documents)


def test_it_is_described_in_the_specifications_words() -> None:
    described = describe_action(DescendantQuantities)

    assert DescendantQuantities.name == "descendant_quantities"
    assert DescendantQuantities.effects is Effects.NONE
    assert described["description"] == "List per-month descendant accounts quantities"
    assert described["doc"] == json.loads(DOC)
    assert described["output"] == [
        "account_id",
        "year",
        "month",
        "category",
        "item",
        "quantity_bom",
        "quantity_eom",
    ]


def test_a_month_makes_the_union_of_its_documents(parent: Account) -> None:
    child = AccountFactory(parent=parent)
    bom = {
        "branding": {"whitelabel": 0},
        "phone_numbers": {"did_us": 1},
        "ips": {"dedicated": 0},
    }
    store(child, 2024, 2, bom=bom, eom={**bom, "number_services": {"local": 130}})

    assert list_quantities(parent) == [
        (child.pk, "2024", "02", "branding", "whitelabel", "0", "0"),
        (child.pk, "2024", "02", "ips", "dedicated", "0", "0"),
        (child.pk, "2024", "02", "number_services", "local", "", "130"),
        (child.pk, "2024", "02", "phone_numbers", "did_us", "1", "1"),
    ]


@pytest.mark.parametrize(("end", "cells"), [("bom", ("0", "")), ("eom", ("", "0"))])
def test_a_missing_document_leaves_cells_empty(
    parent: Account, end: str, cells: tuple[str, str]
) -> None:
    child = AccountFactory(parent=parent)
    store(child, 2024, 11, **{end: {"ips": {"dedicated": 0}, "branding": {"whitelabel": 0}}})

    assert list_quantities(parent) == [
        (child.pk, "2024", "11", "branding", "whitelabel", *cells),
        (child.pk, "2024", "11", "ips", "dedicated", *cells),
    ]


def test_a_month_without_documents_makes_no_rows(parent: Account) -> None:
    store(AccountFactory(parent=parent), 2024, 2)

    assert list_quantities(parent) == []


def test_only_descendants_are_listed_but_at_any_depth(parent: Account) -> None:
    child = AccountFactory(parent=parent)
    grandchild = AccountFactory(parent=child)
    for account in (parent, child, grandchild, AccountFactory()):
        store(account, 2024, 2, bom={"ips": {"dedicated": 1}})

    assert {row[0] for row in list_quantities(parent)} == {child.pk, grandchild.pk}
    assert {row[0] for row in list_quantities(child)} == {grandchild.pk}
    assert list_quantities(grandchild) == []


@pytest.mark.parametrize("accounts_at_a_time", [1, 2, 3, 1000])
@pytest.mark.parametrize("months_at_a_time", [1, 2, 3, 1000])
def test_pages_of_any_size_list_every_month_once_and_in_order(
    parent: Account,
    monkeypatch: pytest.MonkeyPatch,
    accounts_at_a_time: int,
    months_at_a_time: int,
) -> None:
    monkeypatch.setattr(descendant_quantities, "ACCOUNTS_AT_A_TIME", accounts_at_a_time)
    monkeypatch.setattr(descendant_quantities, "MONTHS_AT_A_TIME", months_at_a_time)
    children = sorted((AccountFactory(parent=parent) for _ in range(4)), key=lambda child: child.pk)
    months = [(2023, 11), (2023, 12), (2024, 1)]
    expected = []
    for child in (children[0], children[2], children[3]):  # one has nothing
        for year, month in months:
            store(child, year, month, bom={"a": {"x": 1}, "b": {"y": 2}})
            expected += [(child.pk, f"{year}", f"{month:02}", item) for item in "ab"]

    rows = list_quantities(parent)

    assert [row[:4] for row in rows] == expected


def test_a_page_takes_no_more_statements_for_more_accounts(parent: Account) -> None:
    def count_statements() -> int:
        with CaptureQueriesContext(connection) as statements:
            list_quantities(parent)
        return len(statements)

    store(AccountFactory(parent=parent), 2024, 2, bom={"a": {"x": 1}})
    few = count_statements()
    for _ in range(20):
        store(AccountFactory(parent=parent), 2024, 2, bom={"a": {"x": 1}})

    assert count_statements() == few


def test_the_memory_does_not_grow_with_the_accounts(parent: Account) -> None:
    children = Account.objects.bulk_create(
        Account(name=f"child {n}", parent=parent) for n in range(200)
    )
    document = {"phone_numbers": {f"in_service_{n}": n for n in range(10)}}
    ServiceQuantity.objects.bulk_create(
        ServiceQuantity(account=child, year=year, month=month, bom=document, eom=document)
        for child in children
        for year in (2023, 2024)
        for month in range(1, 13)
    )
    context = make_context(parent, None, None)
    cursor, peaks, rows = None, [], 0

    tracemalloc.start()
    while not peaks or cursor:
        tracemalloc.reset_peak()
        page = DescendantQuantities().page(cursor, context)
        cursor, rows = page.cursor, rows + len(page.rows)
        del page
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()

    assert rows == 200 * 24 * 10
    assert len(peaks) == 5
    assert max(peaks) < 1.3 * peaks[0]


# ---- One month -----------------------------------------------------------------------------------

BOM = {
    "branding": {"whitelabel": 0},
    "phone_numbers": {"did_us": 1},
    "ips": {"dedicated": 0},
}
EOM = {**BOM, "number_services": {"local": 130}}


def test_a_missing_end_leaves_its_quantities_unset() -> None:
    rows = list(unite({"ips": {"dedicated": 0}, "branding": {"whitelabel": 0}}, None))

    assert rows == [("branding", "whitelabel", 0, None), ("ips", "dedicated", 0, None)]


def test_a_missing_beginning_leaves_its_quantities_unset() -> None:
    rows = list(unite(None, {"ips": {"dedicated": 0}, "branding": {"whitelabel": 0}}))

    assert rows == [("branding", "whitelabel", None, 0), ("ips", "dedicated", None, 0)]


def test_two_documents_make_the_sorted_union_of_their_items() -> None:
    rows = list(unite(BOM, EOM))

    assert rows == [
        ("branding", "whitelabel", 0, 0),
        ("ips", "dedicated", 0, 0),
        ("number_services", "local", None, 130),
        ("phone_numbers", "did_us", 1, 1),
    ]


def test_items_of_one_category_are_united_and_sorted() -> None:
    rows = list(unite({"ips": {"b": 2, "c": 3}}, {"ips": {"c": 4, "a": 1}}))

    assert rows == [("ips", "a", None, 1), ("ips", "b", 2, None), ("ips", "c", 3, 4)]


def test_two_missing_documents_make_no_rows() -> None:
    assert list(unite(None, None)) == []


def test_a_category_without_items_makes_no_row() -> None:
    assert list(unite({"ips": {}}, {})) == []


def test_a_category_that_is_not_known_makes_no_row_of_its_own() -> None:
    assert list(unite({"ips": None}, {"ips": {"a": 1}})) == [("ips", "a", None, 1)]
    assert list(unite({"ips": None}, None)) == []
