"""Does an export have the 20 columns of every rate of the owner, page by page?"""

import pytest

from categories.database import copy_out
from categories.rates.actions import Export, ImportRates, export
from categories.rates.columns import RATE_COLUMNS
from categories.rates.models import Rate, Ratedeck
from categories.rates.tests.factories import (
    RatedeckFactory,
    RateFactory,
    import_rates,
)
from categories.testing import run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
NAMES = [column.name for column in RATE_COLUMNS]


@pytest.fixture
def reseller() -> Account:
    return AccountFactory(is_reseller=True)


def export_rates(account: Account) -> list[dict[str, str]]:
    """Return the cells of an export by column."""
    return run_action(Export, account=account).cells


def test_the_columns_are_the_20_in_alphabetical_order_and_the_id() -> None:
    assert Export.name == "export"
    assert sorted(NAMES) == NAMES
    assert [column.name for column in Export.output] == [*NAMES, "_id"]


@pytest.mark.parametrize("page_size", [1, 2, 3, 2000])
def test_all_rates_of_all_decks_come_once_and_in_order(
    reseller: Account, monkeypatch: pytest.MonkeyPatch, page_size: int
) -> None:
    monkeypatch.setattr(export, "FIRST_ROWS", page_size)
    monkeypatch.setattr(copy_out, "MAX_GROWTH", 1)
    for deck in ("gold", "empty", "silver"):
        RatedeckFactory(account=reseller, name=deck)
    for deck, prefix in (("gold", "2"), ("silver", "1"), ("gold", "1"), ("gold", "3")):
        RateFactory(ratedeck=Ratedeck.objects.get(name=deck), prefix=prefix)

    rows = export_rates(reseller)

    assert [(row["ratedeck_id"], row["prefix"]) for row in rows] == [
        ("gold", "1"),
        ("gold", "2"),
        ("gold", "3"),
        ("silver", "1"),
    ]


def test_an_owner_without_decks_exports_nothing(reseller: Account) -> None:
    assert export_rates(reseller) == []


def test_nobody_exports_what_belongs_to_another(reseller: Account) -> None:
    admin = AccountFactory(is_superadmin=True)
    RateFactory(ratedeck__account=reseller, prefix="1")
    RateFactory(ratedeck__account=AccountFactory(is_reseller=True), prefix="2")
    RateFactory(ratedeck__account=None, prefix="3")

    assert [row["prefix"] for row in export_rates(reseller)] == ["1"]
    assert [row["prefix"] for row in export_rates(admin)] == ["3"]


def test_strangers_are_refused() -> None:
    ran = run_action(Export, account=AccountFactory())

    assert ran.refused == "task execution is forbidden"


@pytest.mark.parametrize("is_empty", [True, False])
def test_an_export_that_is_imported_is_exported_unchanged(
    reseller: Account, *, is_empty: bool
) -> None:
    customer = AccountFactory(parent=reseller)
    import_rates(
        reseller,
        "prefix|rate_cost|caller_id_numbers|options|routes|direction|ratedeck_id|weight|_id"
        "|account_id|description|rate_name",
        "1415|0.050|441:442|a||inbound|gold|500|my own|||",
        r'1416|1.10||["a","b"]|["^\\+?1416"]||gold|||'
        f'{customer.pk}| Café, "quoted"\n and more|',
        r'+1417|5|^1|["x\", \"y"]|^1417$|outbound|||||é€|name',
    )
    first = export_rates(reseller)
    if is_empty:
        Rate.objects.all().delete()

    ran = run_action(ImportRates, without_error(first), account=reseller)

    assert ran.failures == []
    assert export_rates(reseller) == first
    assert [row["_id"] for row in first] == ["XX-1416", "my own", "XX-1417"]


def without_error(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows without the column that outputs add."""
    return [{name: row[name] for name in row if name != "error"} for row in rows]
