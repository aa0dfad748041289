"""Tests that a refused ledger statement delays its task and fails no row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery.exceptions import Reject
from django.db import IntegrityError, ProgrammingError

from piston.database.schema import schema
from tasks_app import tasks
from tasks_app.execution import ledger, worker
from tasks_app.models import Part, Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.queue import dispatch
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = ["name,do", "n0,", "n1,", "n2,"]
ERRORS = [ProgrammingError("column x does not exist"), IntegrityError("null value in column x")]


@contextmanager
def renamed(table: str, column: str) -> Iterator[None]:
    """Let a column of ours have another name, as in another release."""
    plugins.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO other")
    try:
        yield
    finally:
        plugins.execute(f"ALTER TABLE {table} RENAME COLUMN other TO {column}")


def let_time_pass(broker: FakeBroker) -> None:
    Task.objects.exclude(dispatched_at=None).update(dispatched_at=database_time(-60))
    sweeping.sweep()
    broker.deliver_all()


@pytest.mark.parametrize("action", ["check", "add", "add_batch", "send", "count"])
def test_a_ledger_of_another_release_delays_a_task_and_nothing_else(
    action: str, broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    task = engine.start(engine.submit(action, *([] if action == "count" else ROWS)))

    with renamed("tasks_app_part", "row_count"):
        broker.deliver_all()
        let_time_pass(broker)
        waiting = engine.fresh(task)
        assert (waiting.status, waiting.ending, waiting.failure_count) == ("executing", None, 0)
    for _ in range(2):
        let_time_pass(broker)

    task = engine.fresh(task)
    assert "the database refuses a statement of Piston Tasks itself" in caplog.text
    assert task.ending != "broken"
    if action == "send":  # the answer to the sent row is unknown
        assert (task.success_count, task.indeterminate_count) == (2, 1)
    else:
        assert (task.status, task.failure_count) == ("success", 0)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("action", ["check", "add", "count"])
def test_however_often_the_ledger_is_refused_the_task_goes_on_afterwards(
    action: str, error: Exception, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    task = engine.start(engine.submit(action, *([] if action == "count" else ROWS)))
    with monkeypatch.context() as refusing:
        refusing.setattr(Part.objects, "add", refuse)
        for _ in range(worker.MAX_IDLE_CLAIMS + 3):
            let_time_pass(broker)
        assert Segment.objects.get(task=task).idle_claims == 0

    let_time_pass(broker)

    assert engine.fresh(task).status == "success"


@pytest.mark.postgresql
@pytest.mark.parametrize("action", ["check", "add", "count"])
def test_a_sequence_of_ours_that_is_used_up_is_not_the_actions_fault(
    action: str, broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    task = engine.start(engine.submit(action, *([] if action == "count" else ROWS)))
    plugins.execute("SELECT setval('tasks_app_part_id_seq', 9223372036854775807)")
    try:
        broker.deliver_all()
        waiting = engine.fresh(task)
    finally:
        plugins.execute("SELECT setval('tasks_app_part_id_seq', 1)")
    let_time_pass(broker)

    assert (waiting.status, waiting.ending, waiting.failure_count) == ("executing", None, 0)
    assert "the database refuses a statement of Piston Tasks itself (Sequence" in caplog.text
    assert engine.fresh(task).status == "success"


def test_the_schema_is_looked_at_again_afterwards(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bool] = []
    monkeypatch.setattr(schema, "look_again", lambda: looked.append(True))
    engine.start(engine.submit("check", *ROWS))

    with renamed("tasks_app_part", "row_count"):
        broker.deliver_all()

    assert looked


def test_a_message_is_requeued_when_nothing_can_be_claimed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tasks_app.queue.sending.time.sleep", lambda _: None)
    task = engine.start(engine.submit("check", *ROWS))

    with renamed("tasks_app_task", "wake_number"), pytest.raises(Reject) as rejected:
        tasks.run_slice(task.pk, 1)

    assert rejected.value.requeue
    assert "A message is handed back" in caplog.text


def test_a_claim_that_is_refused_is_no_error_of_the_message(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    dispatch.receive(task.pk, 1)

    with renamed("tasks_app_segment", "part_count"):
        segment = worker.claim_next("a message")

    assert segment is None
    assert engine.fresh(task).status == "executing"


def test_what_is_wrong_with_an_actions_cursor_is_its_own_fault(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursors = iter(["a\0b", float("nan"), {1, 2}, "\ud800"])
    for cursor in cursors:
        monkeypatch.setattr(
            plugins.Count,
            "page",
            lambda *_, cursor=cursor: plugins.Page([{"number": "1"}], cursor=cursor),
        )
        task = engine.start(engine.submit("count"))
        broker.deliver_all()

        task = engine.fresh(task)
        assert task.status == "internal_error"
        assert task.reason.startswith("the action failed: its cursor cannot be kept")


def test_only_what_is_refused_for_good_is_called_so() -> None:
    with pytest.raises(ledger.LedgerRefused), ledger.ledger_errors():
        raise ProgrammingError("column x does not exist")
