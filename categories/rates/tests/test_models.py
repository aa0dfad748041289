"""Which rate applies to a number, and what do the tables refuse?"""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from categories.rates.models import Rate, Ratedeck
from categories.rates.models.rate import format_cost
from categories.rates.tests.factories import RatedeckFactory, RateFactory
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def deck() -> Ratedeck:
    return RatedeckFactory()


@pytest.mark.parametrize(
    ("number", "prefix"),
    [
        ("+14157215234", "1415"),
        ("14157215234", "1415"),
        ("+14165550123", "1"),
        ("+447700900123", None),
        ("", None),
    ],
)
def test_the_longest_prefix_rates_a_number(deck: Ratedeck, number: str, prefix: str | None) -> None:
    for known in ("1", "1415", "14157215234000", "41"):
        RateFactory(ratedeck=deck, prefix=known)

    rate = deck.rates.all().rate_number(number)

    assert (rate and rate.prefix) == prefix


def test_a_prefix_may_be_the_whole_number(deck: Ratedeck) -> None:
    RateFactory(ratedeck=deck, prefix="123456789012345")

    assert deck.rates.all().rate_number("+123456789012345") is not None


def test_of_equal_prefixes_the_heaviest_rates_a_number(deck: Ratedeck) -> None:
    RateFactory(ratedeck=deck, rate_id="light", weight=10)
    RateFactory(ratedeck=deck, rate_id="heavy", weight=20)

    rates = deck.rates.all().matching("+14157215234")

    assert [rate.rate_id for rate in rates] == ["heavy", "light"]


def test_rates_of_the_other_direction_do_not_match(deck: Ratedeck) -> None:
    for direction in ("inbound", "outbound", None):
        RateFactory(ratedeck=deck, rate_id=f"{direction}", direction=direction)

    rates = deck.rates.all().matching("+14157215234", direction="inbound")

    assert {rate.rate_id for rate in rates} == {"inbound", "None"}


def test_a_rate_meant_for_an_account_is_nobody_elses(deck: Ratedeck) -> None:
    customer = AccountFactory()
    RateFactory(ratedeck=deck, rate_id="general", weight=90)
    RateFactory(ratedeck=deck, rate_id="special", weight=10, account=customer)

    def rate_for(account: Any) -> str:
        rate = deck.rates.all().rate_number("+14157215234", account=account)
        assert rate is not None
        return rate.rate_id

    assert rate_for(customer) == "special"
    assert rate_for(AccountFactory()) == "general"
    assert rate_for(None) == "general"


def test_numbers_are_rated_within_one_deck(deck: Ratedeck) -> None:
    RateFactory(prefix="1415")

    assert deck.rates.all().rate_number("+14157215234") is None


@pytest.mark.parametrize("cost", ["0.0000000001", "99999.9999999999", "12345.6789012345", "0"])
def test_costs_are_kept_exactly(deck: Ratedeck, cost: str) -> None:
    rate = RateFactory(ratedeck=deck, rate_cost=Decimal(cost))

    rate.refresh_from_db()

    assert rate.rate_cost == Decimal(cost)
    assert format_cost(rate.rate_cost) == cost


def test_an_owner_names_a_deck_once() -> None:
    deck = RatedeckFactory(name="gold")

    RatedeckFactory(name="gold")  # of another owner
    RatedeckFactory(name="gold", account=None)

    for account in (deck.account, None):
        with pytest.raises(IntegrityError), transaction.atomic():
            Ratedeck.objects.create(name="gold", account=account)


def test_owned_by_keeps_the_decks_of_one_owner() -> None:
    mine, system = RatedeckFactory(), RatedeckFactory(account=None)

    assert list(Ratedeck.objects.owned_by(mine.account)) == [mine]
    assert list(Ratedeck.objects.owned_by(None)) == [system]


@pytest.mark.parametrize(
    "fields",
    [{"weight": 0}, {"weight": 101}, {"rate_cost": -1}, {"prefix": ""}, {"rate_id": ""}],
)
def test_a_rate_that_makes_no_sense_is_refused(deck: Ratedeck, fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        RateFactory(**{"ratedeck": deck, "rate_id": "x", **fields})
    assert not Rate.objects.exists()
