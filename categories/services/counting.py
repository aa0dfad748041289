"""Counts what accounts have now, or had at a moment; each source takes a few queries for all.

The register of numbers keeps each change, so their past is known. Rates have no history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from heapq import merge
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import Count, Exists, OuterRef, QuerySet

from categories.number_management.models import NumberChange, PhoneNumber
from categories.rates.models import Rate
from categories.services.countries import find_country, leading_digits


class Quantity(NamedTuple):
    """How many of an item an account has; several quantities of one item must be added up."""

    account_id: str
    item: str
    quantity: int


class Source(NamedTuple):
    """A category of quantities. Both functions yield them sorted by account id."""

    category: str
    count_now: Callable[[], Iterator[Quantity]]
    count_at: Callable[[datetime], Iterator[Quantity]] | None  # None: there is no history


def count_numbers() -> Iterator[Quantity]:
    """Yield the telephone numbers of each account by state and country: `in_service_US`."""
    return group_numbers(PhoneNumber.objects.all(), "account_id", "state")


def count_numbers_at(moment: datetime) -> Iterator[Quantity]:
    """Yield the numbers that each account had at a moment, by state and country.

    A number was as its last change until then left it; else as its first change later found it. If
    it never changed, it was as it is now. Rows of the history are in the order of their ids, which
    a clock that is put back does not disturb.
    """
    of_number = NumberChange.objects.filter(number=OuterRef("number"))
    until_then = NumberChange.objects.filter(at__lte=moment)
    later = NumberChange.objects.filter(at__gt=moment)
    unchanged = PhoneNumber.objects.filter(created_at__lte=moment)
    overtaken = Exists(of_number.filter(at__lte=moment, pk__gt=OuterRef("pk")))
    preceded = Exists(of_number.filter(pk__lt=OuterRef("pk")))
    return merge(
        group_numbers(until_then.exclude(overtaken), "to_account", "to_state"),
        group_numbers(later.exclude(preceded), "from_account", "from_state"),
        group_numbers(unchanged.exclude(Exists(of_number)), "account_id", "state"),
        key=attrgetter("account_id"),
    )


def group_numbers(records: QuerySet[Any], account: str, state: str) -> Iterator[Quantity]:
    """Yield how many of the records with an account have each state and country."""
    counts = (
        records.filter(**{f"{account}__isnull": False})
        .annotate(leading=leading_digits)
        .order_by(account)
        .values_list(account, state, "leading")
        .annotate(Count("pk"))
    )
    for account_id, in_state, leading, count in counts.iterator():
        yield Quantity(account_id, f"{in_state}_{find_country(leading)}", count)


def count_rates() -> Iterator[Quantity]:
    """Yield the rates of each reseller by ratedeck."""
    counts = (
        Rate.objects.filter(ratedeck__account__isnull=False)
        .order_by("ratedeck__account_id")
        .values_list("ratedeck__account_id", "ratedeck__name")
        .annotate(Count("pk"))
    )
    for account_id, ratedeck, count in counts.iterator():
        yield Quantity(account_id, ratedeck, count)


SOURCES = (
    Source("phone_numbers", count_numbers, count_numbers_at),
    Source("rates", count_rates, None),
)
