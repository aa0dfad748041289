"""Factories for ratedecks, rates and rows of an import."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import factory
from django.db import transaction
from factory.django import DjangoModelFactory

from categories.contract import Context
from categories.rates.actions import ImportRates
from categories.rates.models import Rate, Ratedeck
from categories.testing import Ran, run_action
from piston.accounts.models import Account
from tests.factories import AccountFactory


class RatedeckFactory(DjangoModelFactory[Ratedeck]):
    class Meta:
        model = Ratedeck

    name = factory.Sequence(lambda n: f"deck {n}")
    account = factory.SubFactory(AccountFactory, is_reseller=True)


class RateFactory(DjangoModelFactory[Rate]):
    class Meta:
        model = Rate

    ratedeck = factory.SubFactory(RatedeckFactory)
    prefix = "1415"
    rate_id = factory.LazyAttribute(lambda rate: f"XX-{rate.prefix}")
    rate_name = factory.LazyAttribute(lambda rate: rate.prefix)
    rate_cost = Decimal("0.05")
    weight = 35


def make_context(account: Account, creator: Account | None = None) -> Context:
    """Return the context of a task for `account` that it, or `creator`, started."""
    creator = creator or account
    return Context(account_id=account.pk, auth_account_id=creator.pk, task_id="0" * 30)


def make_rows(header: str, *lines: str) -> list[dict[str, str]]:
    """Return rows by column; `|` separates cells, since no rate contains it."""
    return [dict(zip(header.split("|"), line.split("|"), strict=True)) for line in lines]


def import_rates(account: Account, header: str, *lines: str) -> Ran:
    """Import rows like those of `make_rows` for `account`."""
    return run_action(ImportRates, make_rows(header, *lines), account=account)


def read_rates(*fields: str, **of: Any) -> Sequence[Any]:
    """Return these fields of the rates, by deck and id."""
    rates = Rate.objects.filter(**of).order_by("ratedeck__name", "rate_id")
    return list(rates.values_list(*fields, flat=len(fields) == 1))


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo what is done inside: each example of a property begins with the same database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
