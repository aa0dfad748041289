"""Ends the states that numbers leave by themselves: discovery, deleted and aging."""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic

from django.db import DEFAULT_DB_ALIAS

from categories.database.bulk import listed
from categories.number_management.changes import add_changes, describe_change
from categories.number_management.models import PhoneNumber, PhoneNumberQuerySet
from categories.number_management.records import delete_numbers
from categories.number_management.states import NumberState

# a state, the days that it lasts from a number's last change, and the next one; None: it is removed
RULES = (
    (NumberState.DELETED, 0, None),
    (NumberState.DISCOVERY, 1, None),
    (NumberState.AGING, 90, NumberState.AVAILABLE),
)
NUMBERS_AT_A_TIME = 5_000
MAX_SECONDS = 10.0  # all in one transaction, for which others wait on SQLite
USING = DEFAULT_DB_ALIAS


def expire_numbers(now: datetime) -> None:
    """Remove deleted numbers and old ones in discovery; make old aging ones available.

    What a task is changing, and what MAX_SECONDS leaves, is for the next day's job.
    """
    ends_at = monotonic() + MAX_SECONDS
    for state, days, next_state in RULES:
        too_old = now - timedelta(days=days)
        numbers = PhoneNumber.objects.filter(state=state, modified_at__lt=too_old)
        expire(numbers, next_state, now, ends_at)


def expire(
    numbers: PhoneNumberQuerySet, state: NumberState | None, now: datetime, ends_at: float
) -> None:
    """Put the numbers into a state, thousands at a time; None removes them."""
    last = ""
    while monotonic() < ends_at:
        batch = numbers.filter(number__gt=last).order_by("number")[:NUMBERS_AT_A_TIME]
        found = batch.select_for_update(skip_locked=True).values_list("number", "state")
        states = dict(found)
        if not states:
            return
        last = max(states)
        if state is None:
            delete_numbers(states, using=USING)
        else:
            taken = PhoneNumber.objects.filter(number__in=listed(states, using=USING))
            taken.update(state=state, modified_at=now)
        changes = [
            describe_change(number, "expire_numbers", (before, None), (state, None), now)
            for number, before in states.items()
        ]
        add_changes(changes, using=USING)
