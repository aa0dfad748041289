"""Counts what accounts have now; each source takes one query for a range of accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from django.db.models import Count

from categories.number_management.models import PhoneNumber
from categories.rates.models import Rate
from categories.services.countries import find_country, leading_digits


class AccountRange(NamedTuple):
    """The accounts with ids between these two, both included."""

    first: str
    last: str


class Quantity(NamedTuple):
    """How many of an item an account has; several quantities of one item must be added up."""

    account_id: str
    category: str
    item: str
    quantity: int


def count_numbers(accounts: AccountRange) -> Iterator[Quantity]:
    """Yield the telephone numbers of each account by state and country: `in_service_US`."""
    counts = (
        PhoneNumber.objects.filter(account_id__gte=accounts.first, account_id__lte=accounts.last)
        .annotate(leading=leading_digits)
        .order_by()
        .values_list("account_id", "state", "leading")
        .annotate(Count("pk"))
    )
    for account_id, state, leading, count in counts.iterator():
        yield Quantity(account_id, "phone_numbers", f"{state}_{find_country(leading)}", count)


def count_rates(accounts: AccountRange) -> Iterator[Quantity]:
    """Yield the rates of each reseller by ratedeck."""
    counts = (
        Rate.objects.filter(
            ratedeck__account_id__gte=accounts.first, ratedeck__account_id__lte=accounts.last
        )
        .order_by()
        .values_list("ratedeck__account_id", "ratedeck__name")
        .annotate(Count("pk"))
    )
    for account_id, ratedeck, count in counts.iterator():
        yield Quantity(account_id, "rates", ratedeck, count)


SOURCES: tuple[Callable[[AccountRange], Iterator[Quantity]], ...] = (count_numbers, count_rates)
