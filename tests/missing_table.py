"""Helps to test tasks that wait for a table that the database lacks."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from tasks_app.models import Task
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.unanswered import let_pauses_end

MAKE = "CREATE TABLE nowhere (name varchar(10))"


def miss(*_: object) -> None:
    plugins.execute("SELECT name FROM nowhere")


def repair(broker: FakeBroker) -> None:
    """Create the table, let the task run on, and drop the table again."""
    plugins.execute(MAKE)
    try:
        let_time_pass(broker)
    finally:
        plugins.execute("DROP TABLE nowhere")


def let_time_pass(broker: FakeBroker) -> None:
    for _ in range(3):
        let_pauses_end()
        Task.objects.exclude(dispatched_at=None).update(dispatched_at=database_time(-60))
        sweeping.sweep()
        broker.deliver_all()


def assert_waits(task: Task) -> None:
    task = engine.fresh(task)
    assert (task.status, task.ending, task.failure_count) == ("executing", None, 0)
    assert task.waiting_since is not None
    assert "nowhere" in task.waiting_for


def set_waiting(*, seconds: float) -> None:
    Task.objects.update(waiting_since=timezone.now() - timedelta(seconds=seconds))


def settings_unfit() -> int:
    return int(settings.PISTON_UNFIT_SECONDS)
