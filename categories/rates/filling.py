"""Derives a rate's id, name, weight, routes and caller patterns from its other fields.

The rules are Kazoo's. A rate is a mapping of field names to values here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

ANY_COUNTRY = "XX"
MIN_WEIGHT, MAX_WEIGHT = 1, 100
NUMBERS = re.compile(r"\+?[0-9]+")


def make_rate_id(country: str | None, prefix: str, suffix: str | None) -> str:
    """Return `{country or XX}-{prefix}[-{suffix}]`."""
    rate_id = f"{country or ANY_COUNTRY}-{prefix}"
    return f"{rate_id}-{suffix}" if suffix else rate_id


def make_rate_name(direction: str | None, country: str | None, prefix: str) -> str:
    """Return `[{direction}_][{country}_]{prefix}`."""
    return "_".join(part for part in (direction, country, prefix) if part)


def make_routes(prefix: str) -> list[str]:
    """Return a list with the pattern of numbers that begin with `prefix`."""
    return [rf"^\+?{prefix}.+$"]


def make_weight(prefix: str, cost: Decimal, internal_cost: Decimal | None) -> int:
    """Return 10 per digit of the prefix, less 100 times the cost, limited to 1 to 100.

    The internal cost counts instead if it is set and not zero.
    """
    return weigh(len(prefix), internal_cost or cost)


@lru_cache(maxsize=10_000)  # costs repeat
def weigh(digit_count: int, cost: Decimal) -> int:
    """Return the weight for the length of a prefix and the cost that counts."""
    return limit_weight(10 * digit_count - int(100 * cost))


def limit_weight(weight: int) -> int:
    """Return the nearest weight within 1 and 100."""
    return min(max(weight, MIN_WEIGHT), MAX_WEIGHT)


def make_caller_patterns(text: str) -> str:
    r"""Return `441:442` as `^\+?441.+$:^\+?442.+$`; other parts stay unchanged.

    So the patterns of an export can be imported again.
    """
    return ":".join(
        make_routes(part.removeprefix("+"))[0] if NUMBERS.fullmatch(part) else part
        for part in text.split(":")
    )


FILLED: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "rate_name": lambda rate: make_rate_name(
        rate["direction"], rate["iso_country_code"], rate["prefix"]
    ),
    "weight": lambda rate: make_weight(
        rate["prefix"], rate["rate_cost"], rate["internal_rate_cost"]
    ),
    "routes": lambda rate: make_routes(rate["prefix"]),
}


def fill(rate: dict[str, Any]) -> dict[str, Any]:
    """Return `rate`, with the name, weight and routes filled in if they are unset."""
    for field, make in FILLED.items():
        if not rate[field]:
            rate[field] = make(rate)
    return rate


def merge(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored rate, updated with the given fields and filled in.

    A stored name, weight or route that was filled in is derived again. So a new cost leads to a
    new weight.
    """
    rate = {**stored, **given}
    for field, make in FILLED.items():
        if field not in given and stored[field] == make(stored):
            rate[field] = make(rate)
    return fill(rate)
