from contextlib import nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from categories.database.bulk import insert_rows, listed, update_rows
from categories.number_management.models import PhoneNumber
from categories.rates.models import Rate
from categories.rates.tests.factories import RateFactory
from piston.accounts.models import Account
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 16, 0, 0, 123456, tzinfo=UTC)
NAMES = ["number", "account", "state", "created_at", "modified_at", "ported_in", "carrier_module",
         "features", "used_by"]  # fmt: skip
IS_POSTGRESQL = connection.vendor == "postgresql"
NASTY = 'tab\t newline\n quote" \\ back\\N slash, ünï 😀'


def number(digits: str, account: Account | None, **changes: Any) -> tuple[Any, ...]:
    values: dict[str, Any] = {
        "number": digits, "account": account and account.pk,
        "state": "in_service" if account else "available", "created_at": NOW, "modified_at": NOW,
        "ported_in": True, "carrier_module": "knm_local", "features": {"a": [1, None, NASTY]},
        "used_by": NASTY,
    }  # fmt: skip
    return tuple({**values, **changes}.values())


def test_inserted_rows_read_as_they_were() -> None:
    account = AccountFactory.create()

    insert_rows(
        PhoneNumber, NAMES, [number("+12", account), number("+13", None, used_by=None, features={})]
    )

    first, second = PhoneNumber.objects.order_by("number")
    assert (first.account, first.created_at, first.ported_in) == (account, NOW, True)
    assert (first.features, first.used_by) == ({"a": [1, None, NASTY]}, NASTY)
    assert (second.account, second.features, second.used_by) == (None, {}, None)


def test_no_rows_are_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        insert_rows(PhoneNumber, NAMES, [])
        update_rows(PhoneNumber, "number", ["state"], [])


def test_an_insert_that_breaks_a_rule_is_an_integrity_error() -> None:
    insert_rows(PhoneNumber, NAMES, [number("+12", None)])

    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(PhoneNumber, NAMES, [number("+13", None), number("+12", None)])

    assert PhoneNumber.objects.count() == 1


def test_inserted_rows_go_with_their_transaction() -> None:
    with transaction.atomic():
        insert_rows(PhoneNumber, NAMES, [number("+12", None)])
        transaction.set_rollback(True)

    assert not PhoneNumber.objects.exists()


def test_an_insert_is_seen_by_those_who_watch_statements() -> None:
    seen: list[str] = []

    def watch(execute: Any, sql: str, *arguments: Any) -> Any:
        seen.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(watch):
        insert_rows(PhoneNumber, NAMES, [number("+12", None)])

    assert len(seen) == 1
    assert "number_management_phonenumber" in seen[0]


def test_updated_rows_are_found_by_their_key() -> None:
    account = AccountFactory.create()
    insert_rows(PhoneNumber, NAMES, [number(f"+1{n}", None) for n in range(4)])

    update_rows(
        PhoneNumber,
        "number",
        ["account", "state", "modified_at", "features", "used_by", "ported_in"],
        [
            ("+11", account.pk, "in_service", NOW.replace(year=2027), {"b": NASTY}, None, False),
            ("+12", None, "aging", NOW, {}, NASTY, True),
            ("+19", None, "aging", NOW, {}, None, True),
        ],
    )

    first = PhoneNumber.objects.get(number="+11")
    assert (first.account, first.state, first.modified_at) == (
        account, "in_service", NOW.replace(year=2027),
    )  # fmt: skip
    assert (first.features, first.used_by, first.ported_in) == ({"b": NASTY}, None, False)
    assert PhoneNumber.objects.get(number="+12").state == "aging"
    assert PhoneNumber.objects.get(number="+13").state == "available"
    assert PhoneNumber.objects.count() == 4


def test_amounts_stay_exact() -> None:
    rate = RateFactory.create(rate_id="US-1")
    amount = Decimal("0.123456")

    update_rows(Rate, "rate_id", ["rate_cost"], [("US-1", amount)])

    rate.refresh_from_db()
    assert rate.rate_cost == amount


def test_a_text_that_no_database_takes_is_an_error_and_not_another_text() -> None:
    refused = pytest.raises((ValueError, DataError)) if IS_POSTGRESQL else nullcontext()

    with refused, transaction.atomic():
        insert_rows(PhoneNumber, NAMES, [number("+12", None, used_by="a\0b")])

    found = set(PhoneNumber.objects.values_list("used_by", flat=True))
    assert found == (set() if IS_POSTGRESQL else {"a\0b"})


@pytest.mark.parametrize("text", [NASTY, "", "{}", "a,b", '"', "NULL", "\\"])
def test_a_value_of_a_list_finds_itself(text: str) -> None:
    insert_rows(PhoneNumber, NAMES, [number("+12", None, used_by=text)])

    found = PhoneNumber.objects.filter(used_by__in=listed(["x", text], using="default"))

    assert found.count() == 1


@pytest.mark.parametrize("count", [0, 1, 40_000])
def test_thousands_of_values_are_one_parameter(count: int) -> None:
    insert_rows(PhoneNumber, NAMES, [number("+10", None), number("+2", None)])

    found = PhoneNumber.objects.filter(
        number__in=listed([f"+1{n}" for n in range(count)], using="default")
    )

    assert [row.number for row in found] == (["+10"] if count else [])
