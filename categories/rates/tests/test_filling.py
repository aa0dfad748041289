"""Which ids, names, weights and routes are filled in?"""

from decimal import Decimal
from typing import Any

import pytest

from categories.rates import filling

UNSET = {
    "direction": None,
    "iso_country_code": None,
    "internal_rate_cost": None,
    "rate_name": None,
    "weight": None,
    "routes": None,
}


def make_rate(**fields: Any) -> dict[str, Any]:
    return {**UNSET, "prefix": "1415", "rate_cost": Decimal("0.05"), **fields}


@pytest.mark.parametrize(
    ("country", "suffix", "rate_id"),
    [
        (None, None, "XX-1415"),
        ("US", None, "US-1415"),
        ("US", "night", "US-1415-night"),
        (None, "night", "XX-1415-night"),
    ],
)
def test_id_names_country_prefix_and_suffix(
    country: str | None, suffix: str | None, rate_id: str
) -> None:
    assert filling.make_rate_id(country, "1415", suffix) == rate_id


@pytest.mark.parametrize(
    ("direction", "country", "name"),
    [
        (None, None, "1415"),
        (None, "US", "US_1415"),
        ("inbound", None, "inbound_1415"),
        ("inbound", "US", "inbound_US_1415"),
    ],
)
def test_name_names_direction_country_and_prefix(
    direction: str | None, country: str | None, name: str
) -> None:
    assert filling.make_rate_name(direction, country, "1415") == name


@pytest.mark.parametrize(
    ("prefix", "cost", "internal_cost", "weight"),
    [
        ("1415", "0.05", None, 35),
        ("1415", "0.059", None, 35),  # truncated, not rounded
        ("1415", "0.05", "0.10", 30),
        ("1415", "0.05", "0", 35),  # an internal cost of nothing does not count
        ("1", "5", None, 1),
        ("141572152341", "0", None, 100),
        ("1415", "0.3999999999", None, 1),
        ("1415", "0.3899999999", None, 2),
    ],
)
def test_weight_grows_with_the_prefix_and_shrinks_with_the_cost(
    prefix: str, cost: str, internal_cost: str | None, weight: int
) -> None:
    internal = None if internal_cost is None else Decimal(internal_cost)

    assert filling.make_weight(prefix, Decimal(cost), internal) == weight


def test_callers_become_patterns() -> None:
    assert filling.make_caller_patterns("441:+442") == r"^\+?441.+$:^\+?442.+$"


def test_patterns_of_callers_stay_as_they_are() -> None:
    patterns = r"^\+?441.+$:^\+?442.+$"

    assert filling.make_caller_patterns(patterns) == patterns


def test_fill_adds_what_was_not_given() -> None:
    rate = filling.fill(make_rate())

    assert (rate["rate_name"], rate["weight"], rate["routes"]) == ("1415", 35, [r"^\+?1415.+$"])


def test_fill_keeps_what_was_given() -> None:
    given = {"rate_name": "Bay Area", "weight": 7, "routes": ["^1415"]}

    rate = filling.fill(make_rate(**given))

    assert {field: rate[field] for field in given} == given


def test_merge_fills_in_anew_what_was_filled_in() -> None:
    stored = filling.fill(make_rate())

    rate = filling.merge(stored, {"rate_cost": Decimal("0.15"), "direction": "inbound"})

    assert (rate["rate_name"], rate["weight"]) == ("inbound_1415", 25)


def test_merge_keeps_what_had_been_given() -> None:
    stored = filling.fill(make_rate(rate_name="Bay Area", weight=7, routes=["^1415"]))

    rate = filling.merge(stored, {"rate_cost": Decimal("0.15")})

    assert (rate["rate_name"], rate["weight"], rate["routes"]) == ("Bay Area", 7, ["^1415"])
    assert rate["rate_cost"] == Decimal("0.15")


def test_merge_leaves_the_stored_rate_alone() -> None:
    stored = filling.fill(make_rate())

    filling.merge(stored, {"rate_cost": Decimal(9)})

    assert stored == filling.fill(make_rate())
