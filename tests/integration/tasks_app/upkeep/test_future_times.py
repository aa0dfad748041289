"""Tests that work continues after the database's clock was hours ahead and is set back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from categories.models import PeriodicRun
from tasks_app.execution import claiming, rate_limit
from tasks_app.execution.runs import claim_seconds
from tasks_app.files import storage
from tasks_app.models import AccountTurn, ActionPace, CSVName, Segment, Task, TaskCSV
from tasks_app.models.clock import database_time, read_database_clock
from tasks_app.upkeep import future_times, sweeping
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.factories import AccountFactory, TaskFactory
from tests.locking import locked

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = ["name,do", "n0,", "n1,"]
AHEAD = database_time(3 * 3_600)


def start() -> Task:
    return engine.start(engine.submit("check", *ROWS))


def seconds_ahead(moment: object) -> float:
    return (moment - read_database_clock()).total_seconds()  # type: ignore[operator,no-any-return]


def test_a_message_of_the_future_is_sent_again_when_it_is_missed(broker: FakeBroker) -> None:
    task = start()
    broker.queue.clear()
    Task.objects.update(dispatched_at=AHEAD, served_at=AHEAD, unfit_since=AHEAD)

    count = future_times.correct_future_times()

    task = engine.fresh(task)
    assert count == 3
    for moment in (task.dispatched_at, task.served_at, task.unfit_since):
        assert abs(seconds_ahead(moment)) < 2


def test_a_pause_of_the_circuit_breaker_in_the_future_is_shortened(broker: FakeBroker) -> None:
    task = start()
    Task.objects.update(failing_since=AHEAD, counted_since=AHEAD, paused_until=AHEAD)

    count = future_times.correct_future_times()

    task = engine.fresh(task)
    assert count == 3
    assert abs(seconds_ahead(task.failing_since)) < 2
    assert abs(seconds_ahead(task.counted_since)) < 2
    assert seconds_ahead(task.paused_until) <= 3_600


def test_a_claim_of_the_future_lasts_as_long_as_one_that_begins_now(broker: FakeBroker) -> None:
    start()
    assert claiming.claim_next("one", 20) is not None
    Segment.objects.update(claimed_until=AHEAD, retry_at=AHEAD)

    future_times.correct_future_times()

    segment = Segment.objects.get()
    longest = claim_seconds(plugins.Check) + plugins.Check.row_seconds
    assert longest - 5 < seconds_ahead(segment.claimed_until) <= longest
    assert seconds_ahead(segment.retry_at) <= 60


def test_a_claim_that_may_be_held_is_left_as_it_is(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.Check, "row_seconds", 600.0)
    start()
    seconds = claim_seconds(plugins.Check) + 600
    assert claiming.claim_next("one", seconds) is not None
    before = Segment.objects.get().claimed_until

    count = future_times.correct_future_times()

    assert count == 0
    assert Segment.objects.get().claimed_until == before


def test_a_claim_for_an_unknown_action_lasts_as_long_as_its_worker_can_live(
    broker: FakeBroker,
) -> None:
    start()
    Task.objects.update(category_version="another")
    Segment.objects.update(claimed_until=AHEAD)

    future_times.correct_future_times()

    assert 300 < seconds_ahead(Segment.objects.get().claimed_until) < 900


@pytest.mark.parametrize("status", ["executing", "stopped"])
def test_a_claim_on_an_output_ends_as_well(status: str) -> None:
    ending = "completed" if status == "executing" else None
    task = TaskFactory.create(status=status, ending=ending, is_assembled=False)
    Task.objects.update(assembly_until=AHEAD, dispatched_at=AHEAD)

    future_times.correct_future_times()

    task = engine.fresh(task)
    assert seconds_ahead(task.assembly_until) < 120
    assert seconds_ahead(task.dispatched_at) < 2


def test_an_account_is_not_last_for_hours(broker: FakeBroker) -> None:
    task = start()
    AccountTurn.objects.create(account=task.account, served_at=timezone.now())
    AccountTurn.objects.update(served_at=AHEAD)

    future_times.correct_future_times()

    assert abs(seconds_ahead(AccountTurn.objects.get().served_at)) < 2


def test_an_abandoned_file_is_deleted_soon_and_one_without_a_row_in_a_week() -> None:
    unfinished = storage.reserve("a" * 30, CSVName.INPUT)
    scheduled = storage.reserve("b" * 30, CSVName.INPUT)
    TaskCSV.objects.update(kept_until=AHEAD)
    TaskCSV.objects.filter(pk=scheduled.pk).update(
        is_given_up=True, kept_until=database_time(86_400)
    )

    future_times.correct_future_times()

    unfinished.refresh_from_db()
    scheduled.refresh_from_db()
    assert seconds_ahead(unfinished.kept_until) <= storage.KEEP_SECONDS
    assert seconds_ahead(scheduled.kept_until) > 80_000


def test_a_periodic_job_is_due_again_in_its_next_period() -> None:
    future = read_database_clock() + timedelta(hours=3)
    PeriodicRun.objects.create(category="x", job="y", last_due_at=future)

    future_times.correct_future_times()

    assert abs(seconds_ahead(PeriodicRun.objects.get(category="x").last_due_at)) < 2


def test_possible_times_are_not_changed(broker: FakeBroker) -> None:
    start()
    assert claiming.claim_next("one", 20) is not None
    storage.reserve("a" * 30, CSVName.INPUT)

    assert future_times.correct_future_times() == 0


def test_rate_limit_reservations_too_far_ahead_are_dropped() -> None:
    rate_limit.reserve("a/b", 1, 10)
    ActionPace.objects.update(free_at=AHEAD)

    assert rate_limit.reserve("a/b", 1, 10) == 0


def test_reservations_of_a_slow_action_are_kept() -> None:
    rate_limit.reserve("a/b", 1, 0.01)

    assert rate_limit.reserve("a/b", 1, 0.01) is None


def test_a_sweep_corrects_times_and_logs_it(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    task = engine.start(engine.submit("check", *ROWS, account=AccountFactory.create()))
    broker.queue.clear()
    Task.objects.update(dispatched_at=AHEAD)

    sweeping.sweep()
    Task.objects.filter(pk=task.pk).update(dispatched_at=database_time(-60))
    sweeping.sweep()

    assert "was the database's clock put back?" in caplog.text
    assert len(broker.queue) == 1


def test_a_wait_of_the_future_began_now_and_its_pauses_may_be_long(broker: FakeBroker) -> None:
    waiting, other = start(), start()
    Task.objects.filter(pk=waiting.pk).update(waiting_since=AHEAD)
    half_an_hour = database_time(1_800)
    Segment.objects.update(retry_at=half_an_hour)

    future_times.correct_future_times()

    assert abs(seconds_ahead(engine.fresh(waiting).waiting_since)) < 2
    assert seconds_ahead(Segment.objects.get(task=waiting).retry_at) > 1_700
    assert seconds_ahead(Segment.objects.get(task=other).retry_at) <= 60
    Segment.objects.update(retry_at=AHEAD)

    future_times.correct_future_times()

    assert seconds_ahead(Segment.objects.get(task=waiting).retry_at) <= 3_600


@pytest.mark.postgresql
def test_a_locked_row_keeps_no_other_time_in_the_future(broker: FakeBroker) -> None:
    held, other = start(), start()
    Task.objects.update(dispatched_at=AHEAD, served_at=AHEAD)
    Segment.objects.update(claimed_until=AHEAD)

    with locked(held, held.segments.get()):
        count = future_times.correct_future_times()

    assert count == 3
    assert seconds_ahead(engine.fresh(other).dispatched_at) < 2
    assert seconds_ahead(other.segments.get().claimed_until) < 120
    assert seconds_ahead(engine.fresh(held).dispatched_at) > 3_000
    assert future_times.correct_future_times() == 3
