"""Does an export have the 20 columns of every rate of the owner, page by page?"""

import pytest

from categories.database import copy_out
from categories.rates.actions import Export, export
from categories.rates.columns import RATE_COLUMNS
from categories.rates.models import Rate, Ratedeck
from categories.rates.tests.factories import (
    RatedeckFactory,
    RateFactory,
    import_rates,
    read_rates,
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


def test_the_columns_are_the_20_in_alphabetical_order() -> None:
    assert Export.name == "export"
    assert sorted(NAMES) == NAMES
    assert [column.name for column in Export.output] == NAMES


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


def test_an_export_can_be_imported_again_unchanged(reseller: Account) -> None:
    import_rates(
        reseller,
        "prefix|rate_cost|caller_id_numbers|options|routes|direction|ratedeck_id|weight",
        "1415|0.05|441:442|a||inbound|gold|500",
        r'1416|1.10||["a","b"]|["^\\+?1416"]||gold|',
    )
    fields = [name for name in NAMES if name != "ratedeck_id"]
    before = read_rates("ratedeck__name", *fields)
    lines = ["|".join(row[name] for name in NAMES) for row in export_rates(reseller)]
    Rate.objects.all().delete()

    import_rates(reseller, "|".join(NAMES), *lines)

    assert read_rates("ratedeck__name", *fields) == before
