"""Which rates does a row delete, and what does it say?"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from categories.contract.help_and_template import describe_action
from categories.rates.actions import Delete, Export
from categories.rates.models import Rate, Ratedeck
from categories.rates.tests.factories import (
    RatedeckFactory,
    RateFactory,
    import_rates,
    make_rows,
    read_rates,
)
from categories.testing import Ran, run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def reseller() -> Account:
    return AccountFactory(is_reseller=True)


def delete(account: Account, header: str, *lines: str) -> Ran:
    return run_action(Delete, make_rows(header, *lines), account=account)


def test_it_takes_the_columns_of_an_export() -> None:
    described = describe_action(Delete)

    assert Delete.name == "delete"
    assert described["mandatory"] == ["prefix"]
    assert {column.name for column in Export.output} - {"prefix"} <= set(described["optional"])


def test_a_row_with_only_a_prefix_deletes_all_rates_with_it(reseller: Account) -> None:
    import_rates(
        reseller,
        "prefix|rate_cost|iso_country_code|rate_suffix",
        "1415|0.05|US|",
        "1415|0.04|US|night",
        "14155|0.03|US|",
        "141|0.02|US|",
    )

    ran = delete(reseller, "prefix", "1415")

    assert ran.header == ["prefix", "deleted_count", "deleted_ids", "error"]
    assert ran.lines == [["1415", "2", '["US-1415","US-1415-night"]', ""]]
    assert read_rates("rate_id") == ["US-141", "US-14155"]


@pytest.mark.parametrize(
    ("column", "same", "other"),
    [
        ("account_id", "{customer}", "f" * 32),
        ("caller_id_numbers", "441:442", "441"),
        ("carrier", "acme", "Acme"),
        ("description", "Bay Area", "Bay"),
        ("direction", "Outbound", "inbound"),
        ("internal_rate_cost", "0.010", "0.011"),
        ("iso_country_code", "us", "CA"),
        ("options", "flat_rate", '["flat_rate","x"]'),
        ("rate_cost", "0.0500", "0.0500000001"),
        ("rate_increment", "6", "60"),
        ("rate_minimum", "30", "0"),
        ("rate_name", "SF", "sf"),
        ("rate_nocharge_time", "0", "1"),
        ("rate_suffix", "night", "day"),
        ("rate_surcharge", "0.10", "0"),
        ("rate_version", "7", "7.0"),
        ("ratedeck_id", "gold", "silver"),
        ("routes", '["^1415"]', '["^1415","^1416"]'),
        ("weight", "500", "99"),
        ("_id", "US-1415-night", "US-1415"),
    ],
)
def test_a_given_cell_has_to_equal_the_stored_value(
    reseller: Account, column: str, same: str, other: str
) -> None:
    customer = AccountFactory(parent=reseller)
    cells = {
        "account_id": customer.pk,
        "caller_id_numbers": "441:442",
        "carrier": "acme",
        "description": "Bay Area",
        "direction": "outbound",
        "internal_rate_cost": "0.01",
        "iso_country_code": "US",
        "options": '["flat_rate"]',
        "prefix": "1415",
        "rate_cost": "0.05",
        "rate_increment": "6",
        "rate_minimum": "30",
        "rate_name": "SF",
        "rate_nocharge_time": "0",
        "rate_suffix": "night",
        "rate_surcharge": "0.1",
        "rate_version": "7",
        "ratedeck_id": "gold",
        "routes": '["^1415"]',
        "weight": "100",
    }
    import_rates(reseller, "|".join(cells), "|".join(cells.values()))
    header = dict.fromkeys(["prefix", "ratedeck_id", column])
    given = {"prefix": "1415", "ratedeck_id": "gold"}

    def row(cell: str) -> str:
        values = given | {column: cell.format(customer=customer.pk)}
        return "|".join(values[name] for name in header)

    ran = delete(reseller, "|".join(header), row(other), row(same))

    assert [cells["deleted_count"] for cells in ran.cells] == ["", "1"]
    assert not Rate.objects.exists()


def test_both_directions_are_a_value_of_their_own(reseller: Account) -> None:
    for direction in ("inbound", None):
        RateFactory(
            ratedeck=Ratedeck.objects.get_or_create(account=reseller, name="ratedeck")[0],
            rate_id=f"{direction}",
            direction=direction,
        )

    delete(reseller, "prefix|direction", '1415|["inbound","outbound"]')

    assert read_rates("rate_id") == ["inbound"]


def test_a_row_that_describes_no_rate_fails_with_the_reason(reseller: Account) -> None:
    import_rates(reseller, "prefix|rate_cost", "1415|0.05")

    ran = delete(
        reseller,
        "prefix|rate_cost|ratedeck_id",
        "1415|0.06|",
        "1416||",
        "1415||gold",
        "1415|0.05|",
        "1415|0.05|",
    )

    assert [cells["error"] for cells in ran.cells] == [
        "no rate of ratedeck ratedeck with the prefix 1415 has all the values of this row",
        "no rate of ratedeck ratedeck has the prefix 1416",
        "there is no ratedeck gold",
        "",
        "no rate of ratedeck ratedeck has the prefix 1415",
    ]
    assert not Rate.objects.exists()
    assert Ratedeck.objects.count() == 1


def test_an_export_deletes_what_it_lists(reseller: Account) -> None:
    import_rates(
        reseller,
        "prefix|rate_cost|caller_id_numbers|options|routes|direction|ratedeck_id|weight",
        "1415|0.05|441:442|a||inbound|gold|500",
        r'1416|1.10||["a","b"]|["^\\+?1416"]|||',
    )
    exported = run_action(Export, account=reseller).cells
    for row in exported:
        row.pop("error", None)

    ran = run_action(Delete, exported, account=reseller)

    assert ran.failures == []
    assert not Rate.objects.exists()


def test_nobody_deletes_what_belongs_to_another(reseller: Account) -> None:
    admin = AccountFactory(is_superadmin=True)
    other = AccountFactory(is_reseller=True)
    for owner in (reseller, other, None):
        RateFactory(ratedeck=RatedeckFactory(account=owner, name="ratedeck"))

    delete(reseller, "prefix", "1415")
    assert {rate.ratedeck.account for rate in Rate.objects.all()} == {other, None}

    delete(admin, "prefix", "1415")
    assert {rate.ratedeck.account for rate in Rate.objects.all()} == {other}


def test_strangers_are_refused() -> None:
    ran = delete(AccountFactory(), "prefix", "1415")

    assert ran.refused == "task execution is forbidden"


def test_a_big_batch_takes_no_more_statements_than_a_small_one(reseller: Account) -> None:
    def count_statements(size: int) -> int:
        lines = [f"{10**9 * size + n}|1|deck {n % 3}" for n in range(size)]
        import_rates(reseller, "prefix|rate_cost|ratedeck_id", *lines)
        with CaptureQueriesContext(connection) as statements:
            delete(reseller, "prefix|rate_cost|ratedeck_id", *lines)
        assert not Rate.objects.exists()
        return len(statements)

    few, many = count_statements(10), count_statements(1_000)

    assert few == many
    assert many <= 9
