"""Tests that a row that kills its workers fails."""

import pytest

from tasks_app.execution import batches, poison_rows
from tasks_app.models import Segment, Task, TaskEvent
from tasks_app.upkeep import sweeping
from tests import engine
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)


def names(*outcomes: str) -> list[str]:
    return ["name,do", *(f"n{index},{outcome}" for index, outcome in enumerate(outcomes))]


def test_a_poison_row_fails_after_it_ran_alone(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poison_rows, "GRACE_SECONDS", -1)
    task = engine.start(engine.submit("check", *names("", "", "")))
    for _ in range(3):  # the batch, and twice the second row alone
        die_on_second_row()

    Segment.objects.update(claimed_until=None)
    broker.queue.clear()
    Task.objects.update(dispatched_at=None)
    sweeping.sweep()
    broker.deliver_all()

    assert engine.fresh(task).status == "partial"
    assert engine.read(task)[2][-1] == "the worker died on this row, 2 times"
    assert TaskEvent.objects.filter(task_id=task.pk, kind="row_blamed").count() == 1


def die_on_second_row() -> None:
    """Do what a worker does until the second row kills it."""
    Segment.objects.update(claimed_until=None)
    with engine.claimed("a worker that will die") as dying:
        if dying.segment.cursor_row == 0 and batches.is_isolated(dying.segment):
            batches.run_next_batch(dying)
        if batches.is_isolated(dying.segment):
            batches.mark_isolated_attempt(dying.segment)
