"""Does beat keep its schedule when its machine's clock is set?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import celery
import pytest

from piston.celery import beat

INTERVAL = 5.0  # seconds


class Clock:
    """The machine's clock, as Celery reads it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, app: celery.Celery) -> None:
        self.offset = timedelta()
        real: Callable[[], datetime] = app.now
        monkeypatch.setattr(app, "now", lambda: real() + self.offset)


def make_scheduler(app: celery.Celery, sent: list[str]) -> beat.Scheduler:
    app.conf.beat_schedule = {"sweep": {"task": "tests.sweep", "schedule": INTERVAL}}
    app.conf.result_backend = "cache+memory://"  # it cleans up by itself

    class Scheduler(beat.Scheduler):
        def apply_entry(self, entry: Any, producer: Any = None) -> None:
            sent.append(entry.name)

    return Scheduler(app)


@pytest.mark.parametrize("hours", [-1, 1])
def test_sweeps_are_sent_in_time_after_the_clock_was_set(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = celery.Celery(set_as_current=False)
    clock = Clock(monkeypatch, app)
    sent: list[str] = []
    scheduler = make_scheduler(app, sent)
    clock.offset = timedelta(seconds=INTERVAL)
    while not sent:
        scheduler.tick()

    clock.offset += timedelta(hours=hours)
    longest = max(scheduler.tick() for _ in range(3))
    clock.offset += timedelta(seconds=INTERVAL)
    for _ in range(3):
        scheduler.tick()

    assert longest <= INTERVAL
    assert len(sent) >= 2
