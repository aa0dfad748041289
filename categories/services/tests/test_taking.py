"""Which quantities are taken, when, and with how many statements?"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from categories.number_management.models import NumberChange, PhoneNumber
from categories.rates.tests.factories import RatedeckFactory, RateFactory
from categories.services import taking
from categories.services.models import ServiceQuantity
from categories.services.months import MonthEnd
from categories.services.taking import take_due_quantities, take_quantities
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2023, 12, 20, tzinfo=UTC)
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
MARCH = datetime(2024, 3, 1, tzinfo=UTC)
BEGINNING = MonthEnd(2024, 2, "bom")
END = MonthEnd(2024, 2, "eom")


def make_account(**fields: Any) -> Account:
    account: Account = AccountFactory(**{"created_at": LONG_AGO, **fields})
    return account


def give_numbers(account: Account, *numbers: str, state: str = "in_service") -> None:
    """Give numbers of which the history knows nothing."""
    PhoneNumber.objects.bulk_create(
        PhoneNumber(number=number, account=account, state=state, created_at=LONG_AGO)
        for number in numbers
    )


def move(
    number: str,
    at: datetime,
    before: tuple[str | None, Account | None],
    after: tuple[str | None, Account | None],
) -> None:
    """Record a change of a number's state and account."""
    NumberChange.objects.create(
        number=number,
        action="test",
        from_state=before[0],
        from_account=before[1] and before[1].pk,
        to_state=after[0],
        to_account=after[1] and after[1].pk,
        at=at,
    )


def read_quantities() -> dict[tuple[str, int, int], tuple[Any, Any]]:
    return {
        (row.account_id, row.year, row.month): (row.bom, row.eom)
        for row in ServiceQuantity.objects.all()
    }


# ---- What is counted -----------------------------------------------------------------------------


@pytest.mark.parametrize("now", [FEBRUARY - timedelta(days=3), FEBRUARY])
def test_numbers_are_counted_by_state_and_country(now: datetime) -> None:
    account = make_account()
    give_numbers(account, "+14157215234", "+12015550123", "+15062345678", "+447700900123")
    give_numbers(account, "+14157215299", state="reserved")
    PhoneNumber.objects.create(number="+14157215000", state="available")

    take_quantities(BEGINNING, now)

    assert read_quantities() == {
        (account.pk, 2024, 2): (
            {
                "phone_numbers": {
                    "in_service_CA": 1,
                    "in_service_GB": 1,
                    "in_service_US": 2,
                    "reserved_US": 1,
                }
            },
            None,
        )
    }


def test_rates_are_counted_by_deck_for_the_owner_of_the_deck() -> None:
    reseller = make_account(is_reseller=True)
    gold = RatedeckFactory(account=reseller, name="gold")
    RateFactory(ratedeck=gold, prefix="1")
    RateFactory(ratedeck=gold, prefix="2")
    RateFactory(ratedeck__account=reseller, ratedeck__name="silver")
    RateFactory(ratedeck__account=None)

    take_quantities(END, MARCH)

    assert read_quantities() == {
        (reseller.pk, 2024, 2): (None, {"rates": {"gold": 2, "silver": 1}})
    }


def test_an_account_that_has_nothing_gets_an_empty_document() -> None:
    account = make_account()

    assert take_quantities(BEGINNING, FEBRUARY) == (1, [])
    assert read_quantities() == {(account.pk, 2024, 2): ({}, None)}


def test_one_end_is_replaced_and_the_other_is_left_alone() -> None:
    account = make_account()
    month = ServiceQuantity.objects.create(
        account=account,
        year=2024,
        month=2,
        bom={"ips": {"dedicated": 1}},
        eom={"phone_numbers": {"x": 1}, "ips": {"dedicated": 2}},
    )

    take_quantities(END, MARCH)

    month.refresh_from_db()
    assert month.bom == {"ips": {"dedicated": 1}}
    assert month.eom == {"ips": {"dedicated": 2}}  # imported: nothing here counts such


# ---- The past ------------------------------------------------------------------------------------


def test_the_past_is_what_the_history_says() -> None:
    first, second = make_account(), make_account()
    numbers = {letter: f"+1415000000{place}" for place, letter in enumerate("abcdef")}
    before, after = FEBRUARY - timedelta(hours=1), FEBRUARY + timedelta(hours=1)
    nowhere = (None, None)
    # a: moved before; b: moved at that very moment; c: moved after; d: came after; e: gone before
    move(numbers["a"], before, ("in_service", second), ("in_service", first))
    move(numbers["b"], FEBRUARY, ("in_service", second), ("reserved", first))
    move(numbers["c"], after, ("in_service", first), ("in_service", second))
    move(numbers["d"], after, nowhere, ("in_service", first))
    move(numbers["e"], before - timedelta(1), nowhere, ("in_service", first))
    move(numbers["e"], before, ("in_service", first), ("deleted", None))
    # f: there and back in one hour, then away
    move(numbers["f"], before, ("in_service", first), ("in_service", second))
    move(numbers["f"], before, ("in_service", second), ("in_service", first))
    move(numbers["f"], after, ("in_service", first), ("available", None))
    give_numbers(second, *numbers.values())  # what the register says today does not count
    give_numbers(second, "+14150000009")

    take_quantities(BEGINNING, MARCH)

    assert read_quantities() == {
        (first.pk, 2024, 2): (
            {"phone_numbers": {"in_service_US": 3, "reserved_US": 1}, "rates": None},
            None,
        ),
        (second.pk, 2024, 2): ({"phone_numbers": {"in_service_US": 1}, "rates": None}, None),
    }


def test_a_number_without_history_was_not_there_before_it_was_created() -> None:
    account = make_account()
    PhoneNumber.objects.create(
        number="+14150000009", account=account, state="in_service", created_at=MARCH
    )

    take_quantities(BEGINNING, MARCH)

    assert read_quantities()[account.pk, 2024, 2] == ({"rates": None}, None)


def test_a_later_row_of_the_history_wins_though_its_clock_was_behind() -> None:
    account = make_account()
    move("+14150000001", FEBRUARY - timedelta(seconds=1), (None, None), ("reserved", account))
    move("+14150000001", FEBRUARY - timedelta(seconds=2), (None, None), ("in_service", account))

    take_quantities(BEGINNING, MARCH)

    assert read_quantities()[account.pk, 2024, 2][0]["phone_numbers"] == {"in_service_US": 1}


def test_rates_of_the_past_are_not_known_unless_they_were_counted_then() -> None:
    counted, missed, imported = (make_account(is_reseller=True) for _ in range(3))
    for account in (counted, missed):
        RateFactory(ratedeck__account=account, ratedeck__name="gold")
    take_quantities(BEGINNING, FEBRUARY, Account.objects.filter(pk=counted.pk))
    ServiceQuantity.objects.create(
        account=imported, year=2024, month=2, bom={"rates": {"old": 7}, "ips": {"dedicated": 1}}
    )

    assert take_quantities(BEGINNING, MARCH) == (3, ["rates"])

    quantities = read_quantities()
    assert quantities[counted.pk, 2024, 2][0] == {"rates": {"gold": 1}}
    assert quantities[missed.pk, 2024, 2][0] == {"rates": None}
    assert quantities[imported.pk, 2024, 2][0] == {"rates": {"old": 7}, "ips": {"dedicated": 1}}


def test_rates_that_were_counted_before_the_end_had_come_do_not_count() -> None:
    account = make_account(is_reseller=True)
    RateFactory(ratedeck__account=account, ratedeck__name="gold")
    take_quantities(END, MARCH - timedelta(days=9))
    assert read_quantities()[account.pk, 2024, 2] == (None, {"rates": {"gold": 1}})

    take_quantities(END, MARCH + timedelta(days=1))

    assert read_quantities()[account.pk, 2024, 2] == (None, {"rates": None})


# ---- The daily job -------------------------------------------------------------------------------


def test_the_first_day_of_a_month_ends_one_month_and_begins_another() -> None:
    account = make_account(created_at=FEBRUARY + timedelta(days=1))
    RateFactory(ratedeck__account=account, ratedeck__name="gold")

    take_due_quantities(MARCH)

    has = {"rates": {"gold": 1}}
    assert read_quantities() == {
        (account.pk, 2024, 2): (None, has),
        (account.pk, 2024, 3): (has, None),
    }


def test_missed_ends_of_months_are_made_up_in_order(caplog: pytest.LogCaptureFixture) -> None:
    old = make_account(created_at=datetime(2024, 1, 1, tzinfo=UTC))
    new = make_account(created_at=datetime(2024, 2, 10, tzinfo=UTC))
    move("+14150000001", datetime(2024, 1, 20, tzinfo=UTC), (None, None), ("in_service", old))
    move(
        "+14150000001",
        datetime(2024, 2, 20, tzinfo=UTC),
        ("in_service", old),
        ("in_service", new),
    )

    with caplog.at_level(logging.WARNING):
        take_due_quantities(datetime(2024, 3, 5, tzinfo=UTC))

    nothing, one = {"rates": None}, {"rates": None, "phone_numbers": {"in_service_US": 1}}
    assert read_quantities() == {
        (old.pk, 2024, 1): (nothing, one),
        (old.pk, 2024, 2): (one, nothing),
        (old.pk, 2024, 3): (nothing, None),
        (new.pk, 2024, 2): (None, one),
        (new.pk, 2024, 3): (one, None),
    }
    assert [record.getMessage() for record in caplog.records] == [
        f"the {end} had been missed; made up for {count}, without rates"
        for end, count in [
            ("bom quantities of 2024-01", "1 account"),
            ("eom quantities of 2024-01", "1 account"),
            ("bom quantities of 2024-02", "1 account"),
            ("eom quantities of 2024-02", "2 accounts"),
            ("bom quantities of 2024-03", "2 accounts"),
        ]
    ]


def test_a_run_makes_up_so_many_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "MAX_MADE_UP", 3)
    monkeypatch.setattr(taking, "ACCOUNTS_AT_A_TIME", 2)
    for _ in range(4):
        make_account(created_at=datetime(2024, 1, 31, tzinfo=UTC))
    ends = []

    for _ in range(5):
        take_due_quantities(datetime(2024, 2, 5, tzinfo=UTC))
        rows = ServiceQuantity.objects.all()
        ends.append((rows.exclude(eom=None).count(), rows.exclude(bom=None).count()))

    assert ends == [(3, 0), (4, 2), (4, 4), (4, 4), (4, 4)]


def test_todays_ends_are_taken_however_much_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "MAX_MADE_UP", 0)
    account = make_account()

    take_due_quantities(MARCH)

    assert read_quantities() == {
        (account.pk, 2024, 2): (None, {}),
        (account.pk, 2024, 3): ({}, None),
    }


def test_what_was_taken_is_left_alone() -> None:
    account = make_account(created_at=FEBRUARY)
    RateFactory(ratedeck__account=account, ratedeck__name="gold")
    take_due_quantities(FEBRUARY)
    ServiceQuantity.objects.create(account=account, year=2024, month=1, eom={"ips": {"x": 1}})
    before = read_quantities()
    RateFactory(ratedeck__account=account, ratedeck__name="silver")

    take_due_quantities(FEBRUARY)
    take_due_quantities(FEBRUARY + timedelta(days=1))

    assert read_quantities() == before


def test_without_accounts_there_is_nothing_to_take() -> None:
    take_due_quantities(MARCH)

    assert read_quantities() == {}


# ---- How much work it is -------------------------------------------------------------------------


@pytest.mark.parametrize("now", [FEBRUARY - timedelta(days=3), MARCH])
def test_accounts_are_worked_off_in_chunks(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(taking, "ACCOUNTS_AT_A_TIME", 2)
    accounts = [make_account() for _ in range(5)]
    for place, account in enumerate(accounts):
        give_numbers(account, *(f"+1415721{place}00{n}" for n in range(place)))

    assert take_quantities(BEGINNING, now).account_count == 5

    quantities = read_quantities()
    for place, account in enumerate(accounts):
        document = quantities[account.pk, 2024, 2][0]
        assert document.get("phone_numbers") == ({"in_service_US": place} if place else None)


def test_more_accounts_of_a_chunk_take_no_more_queries() -> None:
    def count_statements(verb: str) -> int:
        with CaptureQueriesContext(connection) as statements:
            take_quantities(BEGINNING, MARCH)
        return sum(statement["sql"].startswith(verb) for statement in statements)

    make_account()
    few = count_statements("SELECT")
    Account.objects.bulk_create(
        Account(name=f"account {n}", created_at=LONG_AGO) for n in range(1_000)
    )
    give_numbers(Account.objects.first() or AccountFactory(), "+14157215234")

    assert count_statements("SELECT") == few
    assert count_statements("INSERT") <= 10  # SQLite takes 999 values a statement
