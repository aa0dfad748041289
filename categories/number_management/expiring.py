"""Ends the states that numbers leave by themselves: discovery, deleted and aging."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import DEFAULT_DB_ALIAS

from categories.number_management.changes import Change, add_changes
from categories.number_management.models import PhoneNumber, PhoneNumberQuerySet
from categories.number_management.records import (
    FIELDS,
    NumberRecord,
    delete_records,
    update_records,
)
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
        rows = batch.select_for_update(skip_locked=True).values_list(*FIELDS)
        records = [NumberRecord._make(row) for row in rows]
        if not records:
            return
        last = records[-1].number
        if state is None:
            delete_records(records, using=USING)
        else:
            changed = [record._replace(state=state, modified_at=now) for record in records]
            update_records(changed, ("state", "modified_at"), using=USING)
        add_changes([describe(record, state, now) for record in records], using=USING)


def describe(record: NumberRecord, state: NumberState | None, now: datetime) -> Change:
    """Return the change for the history; the system made it, not a task."""
    return Change(
        number=record.number,
        action="expire_numbers",
        from_state=record.state,
        to_state=state,
        from_account=None,
        to_account=None,
        by_account=None,
        task_id=None,
        at=now,
    )
