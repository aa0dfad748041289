"""Which quantities are taken, when, and with how many statements?"""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from categories.number_management.models import PhoneNumber
from categories.rates.tests.factories import RatedeckFactory, RateFactory
from categories.services import taking
from categories.services.models import ServiceQuantity
from categories.services.taking import take_due_quantities, take_quantities
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


def give_numbers(account: Account, *numbers: str, state: str = "in_service") -> None:
    PhoneNumber.objects.bulk_create(
        PhoneNumber(number=number, account=account, state=state) for number in numbers
    )


def read_quantities() -> dict[tuple[str, int, int], tuple[Any, Any]]:
    return {
        (row.account_id, row.year, row.month): (row.bom, row.eom)
        for row in ServiceQuantity.objects.all()
    }


def test_numbers_are_counted_by_state_and_country() -> None:
    account = AccountFactory()
    give_numbers(account, "+14157215234", "+12015550123", "+15062345678", "+447700900123")
    give_numbers(account, "+14157215299", state="reserved")
    PhoneNumber.objects.create(number="+14157215000", state="available")

    take_quantities(2024, 2, "bom")

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
    reseller = AccountFactory(is_reseller=True)
    gold = RatedeckFactory(account=reseller, name="gold")
    RateFactory(ratedeck=gold, prefix="1")
    RateFactory(ratedeck=gold, prefix="2")
    RateFactory(ratedeck__account=reseller, ratedeck__name="silver")
    RateFactory(ratedeck__account=None)

    take_quantities(2024, 2, "eom")

    assert read_quantities() == {
        (reseller.pk, 2024, 2): (None, {"rates": {"gold": 2, "silver": 1}})
    }


def test_an_account_that_has_nothing_gets_an_empty_document() -> None:
    account = AccountFactory()

    assert take_quantities(2024, 2, "bom") == 1
    assert read_quantities() == {(account.pk, 2024, 2): ({}, None)}


def test_one_end_is_replaced_and_the_other_is_left_alone() -> None:
    account = AccountFactory()
    month = ServiceQuantity.objects.create(
        account=account, year=2024, month=2, bom={"ips": {"dedicated": 1}}, eom={"old": {"x": 1}}
    )

    take_quantities(2024, 2, "eom")

    month.refresh_from_db()
    assert (month.bom, month.eom) == ({"ips": {"dedicated": 1}}, {})


@pytest.mark.parametrize(
    ("day", "taken"),
    [
        (datetime(2024, 2, 1, tzinfo=UTC), (2, {}, None)),
        (datetime(2024, 2, 2, tzinfo=UTC), None),
        (datetime(2024, 2, 28, tzinfo=UTC), None),
        (datetime(2024, 2, 29, 23, 59, tzinfo=UTC), (2, None, {})),
        (datetime(2023, 2, 28, tzinfo=UTC), (2, None, {})),
        (datetime(2024, 12, 31, tzinfo=UTC), (12, None, {})),
    ],
)
def test_quantities_are_due_on_the_first_and_the_last_day_of_a_month(
    day: datetime, taken: tuple[int, Any, Any] | None
) -> None:
    AccountFactory()

    take_due_quantities(day)

    rows = [(row.month, row.bom, row.eom) for row in ServiceQuantity.objects.all()]
    assert rows == ([] if taken is None else [taken])


def test_accounts_are_worked_off_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "ACCOUNTS_AT_A_TIME", 2)
    accounts = [AccountFactory() for _ in range(5)]
    for place, account in enumerate(accounts):
        give_numbers(account, *(f"+1415721{place}00{n}" for n in range(place)))

    assert take_quantities(2024, 2, "bom") == 5

    quantities = read_quantities()
    for place, account in enumerate(accounts):
        document = {"phone_numbers": {"in_service_US": place}} if place else {}
        assert quantities[account.pk, 2024, 2] == (document, None)


def test_more_accounts_of_a_chunk_take_no_more_queries() -> None:
    def count_statements(verb: str) -> int:
        with CaptureQueriesContext(connection) as statements:
            take_quantities(2024, 2, "bom")
        return sum(statement["sql"].startswith(verb) for statement in statements)

    AccountFactory()
    few = count_statements("SELECT")
    Account.objects.bulk_create(Account(name=f"account {n}") for n in range(1_000))
    give_numbers(Account.objects.first() or AccountFactory(), "+14157215234")

    assert count_statements("SELECT") == few
    assert count_statements("INSERT") <= 10  # SQLite takes 999 values a statement
