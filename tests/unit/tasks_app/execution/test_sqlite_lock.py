"""Tests the pauses in which others can take SQLite's write lock."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tasks_app.execution import sqlite_lock
from tasks_app.execution.sqlite_lock import LockPause


class Clock:
    """A clock that moves only in `sleep` and when a test sets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        monkeypatch.setattr(sqlite_lock, "connection", SimpleNamespace(vendor="sqlite"))
        monkeypatch.setattr(sqlite_lock, "monotonic", lambda: self.now)
        monkeypatch.setattr(sqlite_lock.time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_quarter_of_a_batchs_time_is_left_to_others(clock: Clock) -> None:
    pause = LockPause()

    pause.begin(0.1)
    pause.wait()

    assert clock.slept == [pytest.approx(0.025)]


def test_work_that_needs_no_lock_is_part_of_the_pause(clock: Clock) -> None:
    pause = LockPause()

    pause.begin(0.1)
    clock.now += 0.02
    pause.wait()
    pause.wait()

    assert clock.slept == [pytest.approx(0.005)]


def test_the_pause_after_a_slow_batch_has_a_maximum(clock: Clock) -> None:
    pause = LockPause()

    pause.begin(60)
    pause.wait()

    assert clock.slept == [pytest.approx(0.25)]


def test_the_first_batch_begins_at_once(clock: Clock) -> None:
    LockPause().wait()

    assert clock.slept == []


def test_writers_on_postgresql_do_not_wait_for_each_other(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_lock.connection, "vendor", "postgresql")
    pause = LockPause()

    pause.begin(0.1)
    pause.wait()

    assert clock.slept == []
