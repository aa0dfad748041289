"""What does an import of rates do?"""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from categories.contract.help_and_template import describe_action
from categories.rates.actions import ImportRates
from categories.rates.filling import make_routes
from categories.rates.models import Rate, Ratedeck
from categories.rates.tests.factories import (
    RatedeckFactory,
    import_rates,
    make_rows,
    read_rates,
)
from categories.testing import run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Account:
    return AccountFactory(is_superadmin=True)


@pytest.fixture
def reseller() -> Account:
    return AccountFactory(is_reseller=True)


def test_it_takes_the_20_columns_and_what_exports_of_other_systems_have() -> None:
    described = describe_action(ImportRates)

    assert ImportRates.name == "import"
    assert sorted(described["mandatory"]) == ["prefix", "rate_cost"]
    assert len(described["optional"]) == 20
    assert {"_id", "pvt_type"} <= set(described["optional"])


def test_a_row_with_nothing_but_prefix_and_cost_is_filled_in(admin: Account) -> None:
    ran = import_rates(admin, "prefix|rate_cost", "1415|0.05")

    assert ran.header == ["prefix", "rate_cost", "rate_id", "note", "error"]
    assert ran.lines == [["1415", "0.05", "XX-1415", "", ""]]
    rate = Rate.objects.get()
    assert (rate.ratedeck.name, rate.ratedeck.account) == ("ratedeck", None)
    assert (rate.rate_id, rate.prefix, rate.rate_cost) == ("XX-1415", "1415", Decimal("0.05"))
    assert (rate.rate_name, rate.weight, rate.routes) == ("1415", 35, make_routes("1415"))
    assert (rate.options, rate.account, rate.direction, rate.carrier) == ([], None, None, None)


def test_every_column_is_stored(reseller: Account) -> None:
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
        "rate_nocharge_time": "2",
        "rate_suffix": "night",
        "rate_surcharge": "0.1",
        "rate_version": "7",
        "ratedeck_id": "gold",
        "routes": '["^1415","^\\\\+1415"]',
        "weight": "20",
        "pvt_type": "rate",
    }

    import_rates(reseller, "|".join(cells), "|".join(cells.values()))

    stored = Rate.objects.values(*cells.keys() - {"ratedeck_id", "pvt_type"}, "rate_id").get()
    assert stored == {
        "account_id": customer.pk,
        "caller_id_numbers": r"^\+?441.+$:^\+?442.+$",
        "carrier": "acme",
        "description": "Bay Area",
        "direction": "outbound",
        "internal_rate_cost": Decimal("0.01"),
        "iso_country_code": "US",
        "options": ["flat_rate"],
        "prefix": "1415",
        "rate_cost": Decimal("0.05"),
        "rate_increment": 6,
        "rate_minimum": 30,
        "rate_name": "SF",
        "rate_nocharge_time": 2,
        "rate_suffix": "night",
        "rate_surcharge": Decimal("0.1"),
        "rate_version": "7",
        "routes": ["^1415", r"^\+1415"],
        "weight": 20,
        "rate_id": "US-1415-night",
    }
    assert Ratedeck.objects.get().name == "gold"


def test_the_id_may_be_given(admin: Account) -> None:
    import_rates(admin, "prefix|rate_cost|_id|iso_country_code", "1415|0.05|mine|US")

    assert read_rates("rate_id") == ["mine"]


def test_quoted_nothing_in_routes_is_not_given(admin: Account) -> None:
    import_rates(admin, "prefix|rate_cost|routes", '1415|0.05|""', "1416|0.05|")

    assert read_rates("routes") == [make_routes("1415"), make_routes("1416")]


def test_an_existing_rate_is_changed_in_what_is_given(admin: Account) -> None:
    import_rates(admin, "prefix|rate_cost|carrier|rate_minimum", "1415|0.05|acme|30")

    import_rates(admin, "prefix|rate_cost|carrier|description", "1415|0.15||Bay Area")

    fields = ("rate_cost", "carrier", "rate_minimum", "description", "weight")
    assert read_rates(*fields) == [(Decimal("0.15"), "acme", 30, "Bay Area", 25)]


def test_what_was_given_once_is_not_filled_in_later(admin: Account) -> None:
    import_rates(admin, "prefix|rate_cost|rate_name|weight|routes", "1415|0.05|SF|7|^1415")

    import_rates(admin, "prefix|rate_cost", "1415|0.15")

    assert read_rates("rate_name", "weight", "routes") == [("SF", 7, ["^1415"])]


def test_an_import_without_changes_writes_only_which_row_it_was(admin: Account) -> None:
    import_rates(admin, "prefix|rate_cost|options", "1415|0.05|a", "1416|0.1|")

    with CaptureQueriesContext(connection) as statements:
        import_rates(admin, "prefix|rate_cost|options", "1416|0.10|", "1415|0.050|a")

    assert not [s for s in statements if "INTO" in s["sql"] or '"rate_cost" =' in s["sql"]]
    assert read_rates("task_row") == [2, 1]


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_a_row_says_what_it_overwrites_of_an_earlier_row(admin: Account, batch_size: int) -> None:
    long = "San Francisco and the cities around its bay"
    rows = make_rows(
        "prefix|rate_cost|description|ratedeck_id",
        "1415|0.050|Bay Area|",
        "1416|0.05||",
        "1415|0.06||",
        f"1415|0.06|{long}|",
        "1415|cheap||",
        "1415|0.060||",
        "1415|0.07|SF|",
        "1415|0.07||gold",
        "+1416|0.05|new|",
    )

    ran = run_action(ImportRates, rows, account=admin, batch_size=batch_size)

    assert [cells["note"] for cells in ran.cells] == [
        "",
        "",
        "overwrites row 1: rate_cost was 0.05",
        "overwrites row 3: description was Bay Area",
        "",
        "repeats row 4",
        f"overwrites row 6: description was {long[:39]}…; rate_cost was 0.06",
        "",
        "overwrites row 2: description was empty",
    ]


def test_a_row_says_nothing_of_what_another_task_wrote(admin: Account) -> None:
    import_rates(admin, "prefix|rate_cost", "1415|0.05")
    Rate.objects.update(task_id="of another task")

    ran = import_rates(admin, "prefix|rate_cost", "1415|0.06")

    assert ran.cells[0]["note"] == ""


def test_a_row_notices_an_earlier_row_that_changed_nothing(admin: Account) -> None:
    import_rates(admin, "prefix|rate_cost", "1415|0.05")
    Rate.objects.update(task_id="of another task")
    rows = make_rows("prefix|rate_cost", "1415|0.05", "1415|0.06")

    ran = run_action(ImportRates, rows, account=admin, batch_size=1)

    assert ran.cells[1]["note"] == "overwrites row 1: rate_cost was 0.05"


def test_an_import_takes_back_its_own_output(admin: Account) -> None:
    rows = make_rows("prefix|rate_cost", "1415|0.05", "1415|0.06", "0|1", "1416|0.07")
    first = run_action(ImportRates, rows, account=admin)

    again = run_action(ImportRates, first.cells[1:], account=admin, batch_size=1)

    assert again.header == first.header
    assert [cells["error"] for cells in again.cells] == ["", first.cells[2]["error"], ""]
    assert [cells["rate_id"] for cells in again.cells] == ["XX-1415", "", "XX-1416"]


def test_both_directions_replace_the_stored_one(admin: Account) -> None:
    import_rates(admin, "prefix|rate_cost|direction", "1415|1|inbound", "1416|1|inbound")

    import_rates(admin, "prefix|rate_cost|direction", '1415|1|["outbound","inbound"]', "1416|1|")

    assert read_rates("direction", "rate_name") == [(None, "1415"), ("inbound", "inbound_1416")]


def test_rows_on_the_same_rate_do_what_they_do_one_by_one(admin: Account) -> None:
    header = "prefix|rate_cost|carrier|description|weight|ratedeck_id"
    lines = [
        "1415|0.05|acme||7|a",
        "1415|0.06||first||a",
        "1415|0.07|||9|b",
        "1415|0.08|other|||a",
        "1416|0.09||||a",
        "1415|0.10||second||b",
    ]
    fields = ("ratedeck__name", "rate_id", "rate_cost", "carrier", "description", "weight")

    import_rates(admin, header, *lines)
    at_once = read_rates(*fields)
    Rate.objects.all().delete()
    for line in lines:
        import_rates(admin, header, line)

    assert at_once == read_rates(*fields)
    assert at_once == [
        ("a", "XX-1415", Decimal("0.08"), "other", "first", 7),
        ("a", "XX-1416", Decimal("0.09"), None, None, 31),
        ("b", "XX-1415", Decimal("0.10"), None, "second", 9),
    ]


def test_rows_whose_cells_are_bad_fail_alone_and_name_the_cells(admin: Account) -> None:
    ran = import_rates(
        admin,
        "prefix|rate_cost|direction|weight",
        "1415|cheap|sideways|1",
        "1416|0.05|inbound|1",
        "1415|0.05|inbound|heavy",
        "|0.05||",
        "1415|-1||",
    )

    assert [failure.split(":")[0] for failure in ran.failures] == [
        "bad field(s) rate_cost direction",
        "bad field(s) weight",
        "bad field(s) prefix",
        "bad field(s) rate_cost",
    ]
    assert read_rates("rate_id") == ["XX-1416"]


def test_a_row_for_an_account_of_another_tree_fails_alone(reseller: Account) -> None:
    customer, stranger = AccountFactory(parent=reseller), AccountFactory()

    ran = import_rates(
        reseller,
        "prefix|rate_cost|account_id",
        f"1415|0.05|{customer.pk}",
        f"1416|0.05|{stranger.pk}",
        f"1417|0.05|{'f' * 32}",
        "1418|0.05|",
    )

    assert [cells["error"] for cells in ran.cells] == [
        "",
        f"account {stranger.pk} is not one of yours",
        f"account {'f' * 32} is not one of yours",
        "",
    ]
    assert read_rates("rate_id") == ["XX-1415", "XX-1418"]


def test_decks_of_the_same_name_are_each_tenants_own(admin: Account, reseller: Account) -> None:
    other = AccountFactory(is_reseller=True)

    for account, cost in ((admin, "0.1"), (reseller, "0.2"), (other, "0.3")):
        import_rates(account, "prefix|rate_cost|ratedeck_id", f"1415|{cost}|gold")

    assert {
        owner: str(cost.normalize())
        for owner, cost in read_rates("ratedeck__account_id", "rate_cost")
    } == {None: "0.1", reseller.pk: "0.2", other.pk: "0.3"}


def test_a_deck_that_exists_is_used(reseller: Account) -> None:
    deck = RatedeckFactory(account=reseller, name="gold")

    import_rates(
        reseller, "prefix|rate_cost|ratedeck_id", "1415|0.05|gold", "1415|0.05|", "1416|0.05|new"
    )

    assert deck.rates.count() == 1
    assert set(Ratedeck.objects.values_list("name", "account_id")) == {
        (name, reseller.pk) for name in ("gold", "ratedeck", "new")
    }


def test_strangers_are_refused() -> None:
    ran = import_rates(AccountFactory(), "prefix|rate_cost", "1415|0.05")

    assert ran.refused == "task execution is forbidden"
    assert not Rate.objects.exists()


@pytest.mark.parametrize("kind", ["new", "changed", "half changed"])
def test_a_big_batch_takes_no_more_statements_than_a_small_one(
    reseller: Account, kind: str
) -> None:
    customer = AccountFactory(parent=reseller)

    def count_statements(size: int) -> int:
        def lines(cost: str, step: int) -> list[str]:
            return [
                f"{10**9 * size + n}|{cost}|deck {n % 3}|{customer.pk}"
                for n in range(0, size, step)
            ]

        header = "prefix|rate_cost|ratedeck_id|account_id"
        RatedeckFactory(account=reseller, name=f"deck {size}")
        if kind != "new":
            import_rates(reseller, header, *lines("1", 1 if kind == "changed" else 2))
        with CaptureQueriesContext(connection) as statements:
            import_rates(reseller, header, *lines("2", 1))
        assert Rate.objects.filter(rate_cost=2).count() == size
        Rate.objects.all().delete()
        Ratedeck.objects.all().delete()
        return len(statements)

    few, many = count_statements(10), count_statements(1_000)

    assert few == many
    assert many <= 12
