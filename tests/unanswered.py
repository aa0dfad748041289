"""What do tests of rows without an answer share? An outside that gives none, for one."""

from __future__ import annotations

import pytest

from tasks_app.execution import batches, external_outcomes
from tasks_app.models import Effect, Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests.broker import FakeBroker

CUT = "indeterminate: ConnectionError: the details are in the log"


def answering(monkeypatch: pytest.MonkeyPatch, *answers: Exception | None) -> None:
    """Let rows that say `do` be answered so, one attempt after the other; the last one for ever."""
    left = list(answers)

    def obey(order: str | None) -> None:
        if order:
            answer = left.pop(0) if len(left) > 1 else left[0]
            if answer is not None:
                raise answer

    monkeypatch.setattr(plugins, "obey", obey)


def let_pauses_end() -> None:
    """Let the pause of every segment be over."""
    Segment.objects.exclude(retry_at=None).update(retry_at=database_time(-1))
    Effect.objects.exclude(retry_at=None).update(retry_at=database_time(-1))
    Task.objects.exclude(paused_until=None).update(paused_until=database_time(-1))


def run_through(broker: FakeBroker, task: Task) -> Task:
    """Let workers come back after each pause, until the task has ended."""
    for _ in range(40):
        broker.deliver_all()
        if engine.fresh(task).is_final:
            return engine.fresh(task)
        let_pauses_end()
        sweeping.repeat_message(engine.fresh(task))
    raise AssertionError("it does not end")


def die_in_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker send the next row and die before it commits."""
    Segment.objects.update(claimed_until=None)
    with engine.claimed("one") as dying, monkeypatch.context() as cut:
        cut.setattr(external_outcomes, "record", lambda *_, **__: None)
        batches.run_next_batch(dying)
    Segment.objects.update(claimed_until=None)


class Unformattable:
    """A cell that no column can write."""

    def __str__(self) -> str:
        raise ValueError("no text")
