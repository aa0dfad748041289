"""Tests that the events of a task are deleted some time after the task, and not before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tasks_app import events, lifecycle
from tasks_app.models import EventKind, Task, TaskEvent
from tasks_app.upkeep import event_retention, expiry, sweeping
from tests import engine

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = 90


@pytest.fixture(autouse=True)
def keep_days(settings: Any) -> None:
    settings.PISTON_EVENT_KEEP_DAYS = DAYS


def removed_task() -> Task:
    task = engine.submit("count")
    lifecycle.remove(task, engine.TESTER)
    return task


def let_pass(days: float) -> None:
    """Make all events older, in SQL: the models refuse changes."""
    table = TaskEvent._meta.db_table
    with connection.cursor() as cursor:
        for event in TaskEvent.objects.all():
            at = connection.ops.adapt_datetimefield_value(event.at - timedelta(days))
            cursor.execute(f"UPDATE {table} SET at = %s WHERE id = %s", [at, event.pk])


def kinds() -> list[str]:
    return list(TaskEvent.objects.values_list("kind", flat=True))


def test_all_events_of_a_task_are_deleted_some_time_after_its_removal() -> None:
    task = removed_task()

    let_pass(DAYS - 0.1)
    sweeping.sweep()
    assert not Task.objects.filter(pk=task.pk).exists()
    assert kinds() == ["created", "removed"]

    let_pass(0.2)
    sweeping.sweep()
    assert kinds() == []


def test_an_existing_task_keeps_its_events_except_old_downloads() -> None:
    task = engine.submit("count")
    events.record(task, EventKind.DOWNLOADED, engine.TESTER)
    let_pass(DAYS + 1)
    events.record(task, EventKind.DOWNLOADED, engine.TESTER)

    sweeping.sweep()

    assert kinds() == ["created", "downloaded"]
    assert TaskEvent.objects.get(kind="downloaded").at > timezone.now() - timedelta(1)


def test_a_removed_task_that_is_not_purged_yet_does_not_hold_up_the_others() -> None:
    waiting = removed_task()
    purged = removed_task()
    expiry.purge(engine.fresh(purged))
    let_pass(DAYS + 1)

    event_retention.forget_old_events()

    assert set(TaskEvent.objects.values_list("task_id", flat=True)) == {waiting.pk}


def test_many_events_are_deleted_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_retention, "MAX_TASKS_AT_ONCE", 2)
    for _ in range(5):
        expiry.purge(removed_task())
    let_pass(DAYS + 1)

    assert event_retention.forget_gone_tasks() == 4
    event_retention.forget_old_events()
    assert kinds() == []


def test_zero_days_keep_events_for_ever(settings: Any) -> None:
    settings.PISTON_EVENT_KEEP_DAYS = 0
    removed_task()
    let_pass(10_000)

    sweeping.sweep()

    assert kinds() == ["created", "removed"]
