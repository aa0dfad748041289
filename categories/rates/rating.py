"""Finds the rates of many numbers with one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q

from categories.database.bulk import listed
from categories.rates.models import Rate
from categories.rates.models.rate import BEST_FIRST


class Question(NamedTuple):
    """A number whose rate is wanted, and the terms."""

    deck: int | None  # the primary key; None: there is no such deck
    number: str  # digits, with or without a +
    direction: str | None  # None: either
    account_id: str | None  # None: only rates for all accounts


class Rated(NamedTuple):
    """A stored rate."""

    prefix: str
    rate_name: str
    rate_cost: Decimal
    direction: str | None
    account_id: str | None


def rate_numbers(questions: Sequence[Question], *, using: str) -> list[Rated | None]:
    """Return the rate of each number, the same as `RateQuerySet.rate_number`; None without one."""
    digits = [question.number.removeprefix("+") for question in questions]
    prefixes = {number[:length] for number in digits for length in range(1, len(number) + 1)}
    rates = read_rates(questions, prefixes, using=using)
    return [
        find_best(rates, question, number) if question.deck else None
        for question, number in zip(questions, digits, strict=True)
    ]


Rates = dict[tuple[int | None, str], list[Rated]]  # by deck and prefix, the best first


def read_rates(questions: Sequence[Question], prefixes: set[str], *, using: str) -> Rates:
    """Return all rates that the questions may have as answers."""
    accounts = {question.account_id for question in questions} - {None}
    rates = (
        Rate.objects.using(using)
        .filter(Q(account=None) | Q(account__in=accounts))
        .filter(
            ratedeck__in={question.deck for question in questions} - {None},
            prefix__in=listed(prefixes, using=using),
        )
        .order_by(*BEST_FIRST)
    )
    found: Rates = defaultdict(list)
    for deck, *fields in rates.values_list("ratedeck_id", *Rated._fields):
        rate = Rated(*fields)
        found[deck, rate.prefix].append(rate)
    return found


def find_best(rates: Rates, question: Question, digits: str) -> Rated | None:
    """Return the best rate for a number, the longest prefix first."""
    deck, _, direction, account_id = question
    for length in range(len(digits), 0, -1):
        for rate in rates.get((deck, digits[:length]), ()):
            fits_direction = direction is None or rate.direction in {None, direction}
            if fits_direction and rate.account_id in {None, account_id}:
                return rate
    return None
