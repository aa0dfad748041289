"""Ends the states that numbers leave by themselves: discovery, deleted and aging."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import DEFAULT_DB_ALIAS

from categories.database.bulk import listed
from categories.number_management.changes import Change, add_changes
from categories.number_management.models import PhoneNumber, PhoneNumberQuerySet
from categories.number_management.records import delete_numbers
from categories.number_management.states import NumberState

DISCOVERY_DAYS = 1  # from the last change; then the number is removed
AGING_DAYS = 90  # then it becomes available
NUMBERS_AT_A_TIME = 5_000
USING = DEFAULT_DB_ALIAS


def expire_numbers(now: datetime) -> None:
    """Remove deleted numbers and old ones in discovery; make old aging ones available."""
    numbers = PhoneNumber.objects.filter
    expire(numbers(state=NumberState.DELETED, modified_at__lt=now), None, now)
    too_old = now - timedelta(days=DISCOVERY_DAYS)
    expire(numbers(state=NumberState.DISCOVERY, modified_at__lt=too_old), None, now)
    too_old = now - timedelta(days=AGING_DAYS)
    expire(numbers(state=NumberState.AGING, modified_at__lt=too_old), NumberState.AVAILABLE, now)


def expire(numbers: PhoneNumberQuerySet, state: NumberState | None, now: datetime) -> None:
    """Put the numbers into a state, thousands at a time; None removes them.

    Skips numbers that a task is changing: the next day's job finds them again.
    """
    last = ""
    while True:
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
        changes = [describe(number, before, state, now) for number, before in states.items()]
        add_changes(changes, using=USING)


def describe(number: str, before: str, state: NumberState | None, now: datetime) -> Change:
    """Return the change for the history; the system made it, not a task."""
    return Change(
        number=number,
        action="expire_numbers",
        from_state=before,
        to_state=state,
        from_account=None,
        to_account=None,
        by_account=None,
        task_id=None,
        at=now,
    )
