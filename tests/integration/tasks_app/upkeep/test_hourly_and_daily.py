"""Tests that each job runs once an hour or a day, however often sweepers ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.utils import timezone

from categories.models import PeriodicRun
from tasks_app.upkeep import hourly_and_daily, sweeping
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)
EVENING = datetime(2026, 5, 4, 23, 50, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Return a list whose only element is the database's time."""
    now = [EVENING]
    monkeypatch.setattr(hourly_and_daily, "read_database_clock", lambda: now[0])
    return now


def sent(broker: FakeBroker) -> int:
    return [name for name, _ in broker.queue].count(hourly_and_daily.CHECK_STORAGE)


def test_a_job_is_run_once_in_each_period(broker: FakeBroker, clock: list[datetime]) -> None:
    hourly_and_daily.run_due_upkeep()
    at_first = sent(broker)
    for _ in range(3):
        clock[0] += timedelta(minutes=15)
        hourly_and_daily.run_due_upkeep()
        hourly_and_daily.run_due_upkeep()

    assert (at_first, sent(broker)) == (0, 1)


def test_of_two_sweepers_one_runs_a_job(
    broker: FakeBroker, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly_and_daily.run_due_upkeep()
    clock[0] += timedelta(days=1)
    run_job = hourly_and_daily.run_job

    def run_job_twice(job: hourly_and_daily.Job) -> None:
        monkeypatch.setattr(hourly_and_daily, "run_job", run_job)
        hourly_and_daily.run_due_upkeep()  # another sweeper, before this one is done
        run_job(job)

    monkeypatch.setattr(hourly_and_daily, "run_job", run_job_twice)
    hourly_and_daily.run_due_upkeep()

    assert sent(broker) == 1


def test_an_error_of_one_job_is_recorded_and_does_not_stop_the_others(
    broker: FakeBroker, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("no way")

    jobs = (hourly_and_daily.Job("broken", "hour", broken), *hourly_and_daily.JOBS)
    monkeypatch.setattr(hourly_and_daily, "JOBS", jobs)
    hourly_and_daily.run_due_upkeep()
    clock[0] += timedelta(days=1)

    hourly_and_daily.run_due_upkeep()

    assert PeriodicRun.objects.get(job="broken").last_error == "ZeroDivisionError: no way"
    assert sent(broker) == 1


def test_a_sweep_clears_what_has_expired(broker: FakeBroker) -> None:
    now = timezone.now()
    for name, days in [("old", -1), ("new", 1)]:
        Session.objects.create(
            session_key=name, session_data="", expire_date=now + timedelta(days=days)
        )
    attempt = {"user_agent": "", "failures_since_start": 1, "ip_address": "192.0.2.1"}
    AccessAttempt.objects.create(username="a", **attempt)
    AccessAttempt.objects.update(attempt_time=now - timedelta(days=1))
    sweeping.sweep()
    PeriodicRun.objects.filter(category="piston").update(last_due_at=now - timedelta(days=2))

    sweeping.sweep()

    assert [session.session_key for session in Session.objects.all()] == ["new"]
    assert not AccessAttempt.objects.exists()
    assert sent(broker) == 1
