"""Does the history tell what accounts had at any moment?"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from categories.number_management.models import NumberChange, PhoneNumber
from categories.rates.tests.factories import rolled_back
from categories.services.counting import Quantity, count_numbers, count_numbers_at
from tests import patience
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

START = datetime(2024, 2, 1, tzinfo=UTC)
NOWHERE = ("available", None)
PLACES = st.sampled_from([None, ("in_service", 0), ("reserved", 0), ("in_service", 1), NOWHERE])
CHANGES = st.lists(st.tuples(st.sampled_from("123"), PLACES, st.integers(0, 1)), max_size=12)


def add_up(quantities: Iterable[Quantity]) -> Counter[tuple[str, str]]:
    total: Counter[tuple[str, str]] = Counter()
    for account_id, item, quantity in quantities:
        total[account_id, item] += quantity
    return total


@settings(max_examples=patience.many(40), deadline=None)
@given(CHANGES)
def test_the_count_of_a_moment_is_what_was_counted_then(
    changes: list[tuple[str, tuple[str, int | None] | None, int]],
) -> None:
    """None removes the number; several changes may come in one second."""
    with rolled_back():
        accounts = [AccountFactory(), AccountFactory()]
        now, counted = START, {START: add_up(())}
        for digit, place, seconds in changes:
            now += timedelta(seconds=seconds)
            number = f"+1415000000{digit}"
            record = PhoneNumber.objects.filter(number=number).first()
            if record is None and place is None:
                continue
            state, owner = place or ("deleted", None)
            account = None if owner is None else accounts[owner]
            NumberChange.objects.create(
                number=number,
                action="test",
                from_state=record and record.state,
                from_account=record and record.account_id,
                to_state=state,
                to_account=account and account.pk,
                at=now,
            )
            PhoneNumber.objects.filter(number=number).delete()
            if place is not None:
                PhoneNumber.objects.create(
                    number=number, state=state, account=account, created_at=START
                )
            counted[now] = add_up(count_numbers())

        assert {moment: add_up(count_numbers_at(moment)) for moment in counted} == counted


def test_quantities_come_in_the_order_of_accounts() -> None:
    for place in range(6):
        account = AccountFactory()
        PhoneNumber.objects.create(
            number=f"+1415000000{place}", account=account, state="in_service", created_at=START
        )
        NumberChange.objects.create(
            number=f"+1416000000{place}",
            action="test",
            to_account=account.pk,
            to_state="in_service",
            at=START,
        )

    account_ids = [quantity.account_id for quantity in count_numbers_at(START)]

    assert len(account_ids) == 12
    assert account_ids == sorted(account_ids)
