import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from categories import registry
from categories.contract import Category, PeriodicJob
from categories.models import PeriodicRun
from categories.periodic import beginning_of, run_due_jobs
from piston import masking
from piston.accounts.models import Account

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 23, 58, 30, tzinfo=UTC)
ran: list[tuple[str, datetime]] = []


def note(name: str) -> Any:
    return lambda due_at: ran.append((name, due_at))


def fail(due_at: datetime) -> None:
    Account.objects.create(name="left behind")
    raise ValueError("no luck")


class Ticking(Category):
    """Does things by itself."""

    name = "ticking"
    version = "1"
    periodic = [
        PeriodicJob("by_the_minute", "minute", note("minute"), "Every minute."),
        PeriodicJob("by_the_hour", "hour", note("hour"), "Every hour."),
        PeriodicJob("by_the_day", "day", note("day"), "Every day."),
    ]


class Failing(Category):
    """Fails by itself."""

    name = "failing"
    version = "1"
    periodic = [PeriodicJob("fail", "minute", fail, "Fail.")]


@pytest.fixture(autouse=True)
def only_these(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    ran.clear()
    monkeypatch.setattr(registry, "all_categories", lambda: [Failing, Ticking])
    yield
    ran.clear()


def test_a_new_job_waits_for_its_next_period() -> None:
    assert run_due_jobs(START) == 0
    assert ran == []


def test_each_job_runs_once_in_its_period_however_often_it_is_asked() -> None:
    run_due_jobs(START)

    for seconds in range(0, 180, 5):
        run_due_jobs(START + timedelta(seconds=seconds))

    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert sorted(ran) == [
        ("day", midnight),
        ("hour", midnight),
        ("minute", midnight - timedelta(minutes=1)),
        ("minute", midnight),
        ("minute", midnight + timedelta(minutes=1)),
    ]


def test_periods_that_passed_unasked_are_run_once() -> None:
    run_due_jobs(START)

    run_due_jobs(START + timedelta(days=3))

    assert [name for name, _ in ran] == ["minute", "hour", "day"]


def test_a_clock_that_goes_back_runs_nothing_again() -> None:
    run_due_jobs(START)
    run_due_jobs(START + timedelta(minutes=2))
    ran.clear()

    run_due_jobs(START)

    assert ran == []


def test_a_job_that_fails_leaves_its_error_and_nothing_else() -> None:
    run_due_jobs(START)

    run_due_jobs(START + timedelta(minutes=1))

    run = PeriodicRun.objects.get(category="failing")
    assert run.last_error == "ValueError: no luck"
    assert not Account.objects.filter(name="left behind").exists()
    assert ("minute", datetime(2026, 11, 23, 23, 59, tzinfo=UTC)) in ran  # others go on


def test_the_error_of_a_job_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_secrets", set())
    run_due_jobs(START)
    masking.hide("no luck")

    run_due_jobs(START + timedelta(minutes=1))

    assert PeriodicRun.objects.get(category="failing").last_error == f"ValueError: {masking.MASK}"


def test_a_job_that_dies_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is killed in a job leaves nothing, not even that the job had begun."""

    class Killed(BaseException): ...

    def die(due_at: datetime) -> None:
        raise Killed

    monkeypatch.setattr(registry, "all_categories", lambda: [Ticking])
    run_due_jobs(START)
    dying = [PeriodicJob("by_the_minute", "minute", die, "Die.")]
    monkeypatch.setattr(Ticking, "periodic", dying)
    with pytest.raises(Killed):
        run_due_jobs(START + timedelta(minutes=1))
    monkeypatch.undo()
    monkeypatch.setattr(registry, "all_categories", lambda: [Ticking])

    run_due_jobs(START + timedelta(minutes=1))

    assert [name for name, _ in ran] == ["minute"]


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("minute", datetime(2026, 11, 23, 23, 58, tzinfo=UTC)),
        ("hour", datetime(2026, 11, 23, 23, tzinfo=UTC)),
        ("day", datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_periods_begin_with_the_full_minute_hour_or_day(every: str, expected: datetime) -> None:
    assert beginning_of(every, START.replace(microsecond=7)) == expected


@pytest.mark.django_db(transaction=True)
def test_of_many_callers_at_once_exactly_one_runs_the_job() -> None:
    run_due_jobs(START)
    callers = 6
    together = threading.Barrier(callers, timeout=10)  # seconds

    def call() -> None:
        try:
            together.wait()
            run_due_jobs(START + timedelta(minutes=2))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(name for name, _ in ran) == ["day", "hour", "minute"]
