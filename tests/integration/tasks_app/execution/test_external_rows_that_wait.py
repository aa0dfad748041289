"""Tests that external rows wait for a missing table, and that a lost row ends no wait."""

from __future__ import annotations

import pytest
from django.utils import timezone

from categories.contract import RowFailed
from categories.contract.rows import RowShape
from tasks_app.execution import batches, external_rows
from tasks_app.models import Effect, Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.missing_table import assert_waits, let_time_pass, set_waiting, settings_unfit
from tests.unanswered import let_pauses_end

pytestmark = pytest.mark.django_db(transaction=True)


def lost_rows(task: Task) -> int:
    return engine.fresh(task).indeterminate_count


def pause_of(task: Task) -> float:
    """Return how many seconds are left until the segment's retry."""
    retry_at = Segment.objects.get(task=task).retry_at
    return 0 if retry_at is None else (retry_at - timezone.now()).total_seconds()


@pytest.mark.parametrize("action", ["send", "send_again"])
def test_a_row_that_is_lost_to_it_ends_no_wait_and_the_next_one_waits_longer(
    action: str, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", 1)
    task = engine.start(engine.submit(action, "name,do", *[f"n{n},miss" for n in range(9)]))
    broker.deliver_all()
    first = pause_of(task)
    set_waiting(seconds=600)
    since = engine.fresh(task).waiting_since

    let_time_pass(broker)

    assert 5 < first < 11
    assert lost_rows(task) == 4
    assert engine.fresh(task).waiting_since == since
    assert 590 < pause_of(task) < 660

    set_waiting(seconds=80_000)
    let_time_pass(broker)

    assert 3_590 < pause_of(task) < 3_601


def test_it_ends_a_task_of_external_rows_after_a_day_as_well(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("send", "name,do", "n0,miss", "n1,miss", "n2,miss"))
    broker.deliver_all()
    set_waiting(seconds=settings_unfit() - 60)
    let_pauses_end()
    Task.objects.exclude(dispatched_at=None).update(dispatched_at=database_time(-60))
    sweeping.sweep()
    broker.deliver_all()
    set_waiting(seconds=settings_unfit() + 60)

    sweeping.sweep()
    broker.deliver_all()

    assert lost_rows(task) == 2
    assert engine.fresh(task).status == "internal_error"


def test_a_row_without_a_query_ends_no_wait(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "retry_seconds", 5)
    rows = [f"n{number},miss" for number in range(3)]
    task = engine.start(engine.submit("send_again", "name,do", *rows))
    broker.deliver_all()
    set_waiting(seconds=600)
    since = engine.fresh(task).waiting_since
    Effect.objects.update(sent_at=database_time(-60))  # too long ago to be sent again

    let_pauses_end()
    sweeping.repeat_message(task)
    broker.deliver_all()

    assert lost_rows(task) == 1
    assert engine.fresh(task).waiting_since == since

    let_pauses_end()
    with engine.claimed("rejecting") as run:
        monkeypatch.setattr(RowShape, "parse_batch", lambda *_: [RowFailed("bad field")])
        batches.run_next_batch(run)

    assert engine.fresh(task).failure_count == 2
    assert engine.fresh(task).waiting_since == since


def test_an_answer_ends_the_wait_whatever_it_is(broker: FakeBroker) -> None:
    for order, action in [("", "send"), ("fail", "send"), ("crash", "send_again")]:
        task = engine.start(engine.submit(action, "name,do", f"n0,{order}", "n1,sleep"))
        Task.objects.filter(pk=task.pk).update(waiting_since=database_time(-60), waiting_for="x")

        with engine.claimed(f"of {task.pk}") as run:
            batches.run_next_batch(run)
        Segment.objects.update(is_done=True)

        waits = order == "crash"  # it is asked again; so far nothing is committed
        assert (engine.fresh(task).waiting_since is not None) == waits


def test_nothing_waits_once_the_last_row_is_lost(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("send", "name,do", "n0,miss", "n1,miss"))
    broker.deliver_all()

    let_time_pass(broker)

    task = engine.fresh(task)
    assert (task.status, task.indeterminate_count) == ("failure", 2)
    assert (task.waiting_since, task.waiting_for) == (None, "")


def test_the_pause_of_a_row_that_is_sent_again_is_not_cut_short(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_rows, "MIN_PAUSE_SECONDS", 32.0)
    task = engine.start(engine.submit("send_again", "name,do", "n0,miss", "n1,"))

    broker.deliver_all()

    assert 25 < pause_of(task) < 33
    assert_waits(task)
