"""Which rates does the action `rate` find?"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from categories.rates.actions import RateNumbers
from categories.rates.rating import Question, rate_numbers
from categories.rates.tests.factories import (
    RatedeckFactory,
    RateFactory,
    import_rates,
    make_rows,
    rolled_back,
)
from categories.testing import Ran, run_action
from piston.accounts.models import Account
from tests import patience
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def reseller() -> Account:
    return AccountFactory(is_reseller=True)


def rate(account: Account, header: str, *lines: str) -> Ran:
    return run_action(RateNumbers, make_rows(header, *lines), account=account)


def test_the_longest_prefix_rates_a_number(reseller: Account) -> None:
    import_rates(
        reseller,
        "prefix|rate_cost|iso_country_code",
        "1|0.5|US",
        "1415|0.05|US",
        "44|0.1|GB",
    )

    ran = rate(reseller, "number", "+14157215234", "+12015550123", "+447700900123", "+4915123")

    assert RateNumbers.name == "rate"
    assert ran.header == ["number", "prefix", "rate_name", "rate_cost", "error"]
    assert ran.lines == [
        ["+14157215234", "1415", "US_1415", "0.05", ""],
        ["+12015550123", "1", "US_1", "0.5", ""],
        ["+447700900123", "44", "GB_44", "0.1", ""],
        ["+4915123", "", "", "", "no rate of ratedeck ratedeck fits +4915123"],
    ]


def test_deck_direction_and_account_narrow_the_choice(reseller: Account) -> None:
    customer = AccountFactory(parent=reseller)
    import_rates(
        reseller,
        "prefix|rate_cost|rate_name|direction|account_id|ratedeck_id|weight|_id",
        "1415|1|in|inbound|||50|a",
        "1415|2|out|outbound|||40|b",
        f"1415|3|mine||{customer.pk}||30|c",
        "1415|4|gold|||gold|20|d",
    )

    ran = rate(
        reseller,
        "number|direction|account_id|ratedeck_id",
        "+14157215234|||",
        "+14157215234|outbound||",
        f"+14157215234||{customer.pk}|",
        f"+14157215234||{reseller.pk}|",
        "+14157215234|||gold",
        "+14157215234|||silver",
        '+14157215234|["inbound","outbound"]||',
    )

    assert [cells["rate_name"] or cells["error"] for cells in ran.cells] == [
        "in",
        "out",
        "mine",
        "in",
        "gold",
        "there is no ratedeck silver",
        "in",
    ]


def test_decks_of_others_rate_nothing(reseller: Account) -> None:
    admin = AccountFactory(is_superadmin=True)
    RateFactory(ratedeck=RatedeckFactory(account=None, name="ratedeck"))

    assert rate(reseller, "number", "+14157215234").failures == ["there is no ratedeck ratedeck"]
    assert rate(admin, "number", "+14157215234").failures == []


def test_a_row_with_a_bad_number_fails_alone(reseller: Account) -> None:
    import_rates(reseller, "prefix|rate_cost", "1|0.5")

    ran = rate(reseller, "number", "14157215234x", "+14157215234")

    assert [bool(cells["error"]) for cells in ran.cells] == [True, False]


def test_strangers_are_refused() -> None:
    assert rate(AccountFactory(), "number", "+14157215234").refused == "task execution is forbidden"


def test_a_big_batch_takes_no_more_statements_than_a_small_one(reseller: Account) -> None:
    import_rates(
        reseller,
        "prefix|rate_cost|ratedeck_id",
        *(f"{n}|1|deck {n % 3}" for n in range(100, 200)),
    )

    def count_statements(size: int) -> int:
        lines = [f"+{10**10 + n * 10**7}|deck {n % 3}" for n in range(size)]
        with CaptureQueriesContext(connection) as statements:
            rate(reseller, "number|ratedeck_id", *lines)
        return len(statements)

    few, many = count_statements(10), count_statements(1_000)

    assert few == many
    assert many <= 4


PREFIXES = st.text("12", min_size=1, max_size=4)
DIRECTIONS = st.sampled_from([None, "inbound", "outbound"])
RATES = st.tuples(PREFIXES, DIRECTIONS, st.booleans(), st.integers(1, 3))
QUESTIONS = st.tuples(st.text("12", min_size=1, max_size=6), DIRECTIONS, st.booleans())


@settings(max_examples=patience.many(60), deadline=None)
@given(st.lists(RATES, max_size=12), st.lists(QUESTIONS, min_size=1, max_size=8))
def test_a_batch_rates_each_number_as_the_queryset_does(
    rates: list[tuple[str, str | None, bool, int]],
    questions: list[tuple[str, str | None, bool]],
) -> None:
    with rolled_back():
        deck, customer = RatedeckFactory(), AccountFactory()
        for place, (prefix, direction, is_special, weight) in enumerate(rates):
            RateFactory(
                ratedeck=deck,
                rate_id=f"{place}",
                rate_name=f"{place}",
                prefix=prefix,
                direction=direction,
                account=customer if is_special else None,
                weight=weight,
            )

        found = rate_numbers(
            [
                Question(deck.pk, number, direction, customer.pk if is_special else None)
                for number, direction, is_special in questions
            ],
            using="default",
        )

        alone = [
            deck.rates.rate_number(
                number, direction=direction, account=customer if is_special else None
            )
            for number, direction, is_special in questions
        ]
        assert [rate and rate.rate_name for rate in found] == [
            rate and rate.rate_name for rate in alone
        ]
