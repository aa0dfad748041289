"""Tests that a task waits, and no row fails, while a table, column or right is missing."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from categories.contract import Page, RowFailed
from categories.contract.outcomes import Refused
from tasks_app.execution import batches, external
from tasks_app.models import Effect, Segment, Task, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.locking import locked
from tests.unanswered import let_pauses_end

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = ["name,do", "n0,", "n1,miss", "n2,"]
MAKE = "CREATE TABLE nowhere (name varchar(10))"


def miss(*_: object) -> None:
    plugins.execute("SELECT name FROM nowhere")


def repair(broker: FakeBroker) -> None:
    """Make the table, and let time pass."""
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


@pytest.mark.parametrize("action", ["check", "add", "add_batch"])
def test_rows_wait_for_a_table_and_go_on_when_it_is_there(
    action: str, broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    task = engine.start(engine.submit(action, *ROWS))

    broker.deliver_all()

    assert_waits(task)
    assert f"Task {task.pk} waits, no row is to blame" in caplog.text
    segment = Segment.objects.get(task=task)
    assert (segment.claimed_until, segment.idle_claims) == (None, 0)
    assert segment.retry_at is not None
    assert segment.retry_at > timezone.now()

    repair(broker)

    task = engine.fresh(task)
    assert (task.status, task.success_count) == ("success", 3)
    assert (task.waiting_since, task.waiting_for) == (None, "")


def test_it_is_tried_again_now_and_then_for_as_long_as_it_takes(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    broker.deliver_all()
    since = engine.fresh(task).waiting_since

    for _ in range(15):
        let_time_pass(broker)

    assert plugins.calls.count("n1") > 31  # more than idle claims may be
    assert_waits(task)
    assert engine.fresh(task).waiting_since == since
    assert not TaskEvent.objects.filter(kind="row_blamed").exists()


def test_it_is_said_once_a_minute(broker: FakeBroker, caplog: pytest.LogCaptureFixture) -> None:
    task = engine.start(engine.submit("check", *ROWS))

    for _ in range(3):
        let_time_pass(broker)

    assert caplog.text.count(f"Task {task.pk} waits") == 1


def test_a_task_that_waits_in_vain_ends_after_a_day(
    broker: FakeBroker, settings: object, caplog: pytest.LogCaptureFixture
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    broker.deliver_all()
    set_waiting(seconds=settings_unfit() - 60)
    sweeping.sweep()
    before = engine.fresh(task).ending
    set_waiting(seconds=settings_unfit() + 60)

    sweeping.sweep()
    broker.deliver_all()

    task = engine.fresh(task)
    assert (before, task.status) == (None, "internal_error")
    assert task.reason.startswith("the action failed: ")
    assert task.reason.endswith("Error: the details are in the log") or "Undefined" in task.reason
    assert "nowhere" not in task.reason
    event = TaskEvent.objects.get(task_id=task.pk, kind="broken")
    assert "nowhere" in event.detail["detail"]


def settings_unfit() -> int:
    return int(settings.PISTON_UNFIT_SECONDS)


def set_waiting(*, seconds: float) -> None:
    Task.objects.update(waiting_since=timezone.now() - timedelta(seconds=seconds))


@pytest.mark.parametrize("action", ["check", "add"])
def test_a_slip_in_a_statement_fails_its_row_alone(action: str, broker: FakeBroker) -> None:
    task = engine.start(engine.submit(action, "name,do", "n0,", "n1,slip", "n2,"))

    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, task.success_count, task.failure_count) == ("partial", 2, 1)
    assert engine.read(task)[2][-1] == "ProgrammingError: the details are in the log"


@pytest.mark.parametrize(("action", "method"), [("finish", "finish"), ("finish", "permitted")])
def test_a_whole_task_waits_where_no_row_is_at_hand(
    action: str, method: str, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.Finish, method, miss)
    task = engine.start(engine.submit(action, "name,do", "n0,"))

    broker.deliver_all()
    let_time_pass(broker)

    assert_waits(task)
    repair(broker)
    assert engine.fresh(task).status == "success"


def test_pages_wait(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    page = plugins.Count.page

    def looked_up(self: plugins.Count, cursor: object, context: object) -> Page:
        miss()
        return page(self, cursor, context)  # type: ignore[arg-type]

    monkeypatch.setattr(plugins.Count, "page", looked_up)
    task = engine.start(engine.submit("count"))

    broker.deliver_all()

    assert_waits(task)
    repair(broker)
    assert engine.fresh(task).status == "success"


def test_an_external_row_without_an_answer_is_followed_by_a_pause(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("send", "name,do", "n0,miss", "n1,miss", "n2,"))

    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.failure_count, task.indeterminate_count, task.success_count) == (1, 1, 0)
    assert (task.status, task.waiting_since is None) == ("executing", False)


@pytest.mark.postgresql
def test_rows_wait_for_a_right(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", "name,do", "n0,"))
    plugins.execute("CREATE TABLE nowhere (name text)")
    plugins.execute("CREATE ROLE stranger NOLOGIN")
    try:

        def as_stranger(*_: object) -> None:
            plugins.execute("SET ROLE stranger")
            try:
                miss()
            finally:
                connection.close()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plugins, "obey", as_stranger)
            broker.deliver_all()
    finally:
        plugins.execute("DROP ROLE stranger")
        plugins.execute("DROP TABLE nowhere")

    assert_waits(task)
    assert engine.fresh(task).waiting_for.startswith("InsufficientPrivilege: ")


@pytest.mark.postgresql
def test_a_value_that_no_index_takes_fails_its_row_alone(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    obey = plugins.obey

    def write(order: str | None) -> None:
        if order != "long":
            return obey(order)
        plugins.execute("CREATE TEMPORARY TABLE narrow (name text PRIMARY KEY)")
        return plugins.execute(
            "INSERT INTO narrow SELECT string_agg(md5(n::text), '') FROM generate_series(1, 9999) n"
        )

    monkeypatch.setattr(plugins, "obey", write)
    task = engine.start(engine.submit("add", "name,do", "n0,", "n1,long", "n2,"))

    broker.deliver_all()

    assert (engine.fresh(task).success_count, engine.fresh(task).failure_count) == (2, 1)


def test_a_database_that_is_away_is_no_missing_table(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(plugins, "obey", away)
    task = engine.start(engine.submit("check", "name,do", "n0,"))

    broker.deliver_all()

    assert engine.fresh(task).waiting_since is None
    assert Segment.objects.get(task=task).retry_at is None


def test_a_refusal_is_no_missing_table(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Refused("not you")

    monkeypatch.setattr(plugins.Check, "permitted", refuse)
    task = engine.start(engine.submit("check", "name,do", "n0,"))

    broker.deliver_all()

    assert (engine.fresh(task).status, engine.fresh(task).reason) == ("failure", "not you")


def lost_rows(task: Task) -> int:
    return engine.fresh(task).indeterminate_count


def pause_of(task: Task) -> float:
    """Return for how many seconds its segment is left alone."""
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
        batches.commit_external(run, run.take(1), RowFailed("bad field"), was_sent=False)

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
    monkeypatch.setattr(external, "MIN_PAUSE_SECONDS", 32.0)
    task = engine.start(engine.submit("send_again", "name,do", "n0,miss", "n1,"))

    broker.deliver_all()

    assert 25 < pause_of(task) < 33
    assert_waits(task)


@pytest.mark.parametrize("column", ["waiting_since", "unfit_since"])
def test_a_task_that_has_just_gone_on_is_not_ended(
    column: str, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    Task.objects.update(**{column: database_time(-settings_unfit() - 60)})
    chosen = [engine.fresh(task)]
    if column == "unfit_since":
        Task.objects.update(category_version="another")
        chosen = [engine.fresh(task)]
    Task.objects.update(**{column: None})
    end = sweeping.end_waiting if column == "waiting_since" else sweeping.end_unfit

    sweeping.for_each(chosen, end)

    assert engine.fresh(task).ending is None


@pytest.mark.postgresql
def test_a_locked_task_that_waits_in_vain_is_passed_over(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sweeping, "MAX_AT_ONCE", 1)
    held, other = (engine.start(engine.submit("check", *ROWS)) for _ in range(2))
    set_waiting(seconds=settings_unfit() + 60)
    Task.objects.filter(pk=held.pk).update(waiting_since=database_time(-settings_unfit() - 90))

    with locked(held):
        sweeping.end_waiting_tasks()

    assert engine.fresh(other).ending == "broken"
    assert engine.fresh(held).ending is None
    assert f"Task {held.pk} stands still" in caplog.text


@pytest.mark.postgresql
def test_one_that_is_locked_meanwhile_is_not_waited_for(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    set_waiting(seconds=settings_unfit() + 60)
    began = time.monotonic()

    with locked(task):
        sweeping.for_each([engine.fresh(task)], sweeping.end_waiting)

    assert time.monotonic() - began < 3
    assert engine.fresh(task).ending is None
