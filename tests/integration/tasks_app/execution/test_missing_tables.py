"""Tests that a task waits, and no row fails, while a table, column or right is missing."""

from __future__ import annotations

import time

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from categories.contract import Page
from categories.contract.outcomes import Refused
from tasks_app.models import Segment, Task, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping, unlocked
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.locking import locked
from tests.missing_table import (
    assert_waits,
    let_time_pass,
    miss,
    repair,
    set_waiting,
    settings_unfit,
)

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = ["name,do", "n0,", "n1,miss", "n2,"]


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

    unlocked.for_each(chosen, end)

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
        first = engine.fresh(other).ending
        sweeping.end_waiting_tasks()  # finds fewer tasks than it may take: it names the locked one

    assert first == "broken"
    assert engine.fresh(held).ending is None
    assert f"Task {held.pk} stands still" in caplog.text


@pytest.mark.postgresql
def test_one_that_is_locked_meanwhile_is_not_waited_for(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    set_waiting(seconds=settings_unfit() + 60)
    began = time.monotonic()

    with locked(task):
        unlocked.for_each([engine.fresh(task)], sweeping.end_waiting)

    assert time.monotonic() - began < 3
    assert engine.fresh(task).ending is None
