"""Tests that the sweeper repairs everything that a crash can interrupt."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from tasks_app import creating, lifecycle, storing_uploads
from tasks_app.execution import assembly, ending, worker
from tasks_app.files import storage
from tasks_app.models import Part, Task, TaskCSV
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = ["name,do", "n0,", "n1,fail", "n2,"]


def finished(broker: FakeBroker) -> Task:
    task = engine.start(engine.submit("check", *ROWS))
    broker.deliver_all()
    return engine.fresh(task)


def make_silent() -> None:
    """Make all messages so old that they count as lost."""
    Task.objects.exclude(dispatched_at=None).update(dispatched_at=database_time(-60))


def test_a_lost_message_is_sent_again_but_not_one_that_may_still_arrive(
    broker: FakeBroker,
) -> None:
    engine.start(engine.submit("check", *ROWS))
    broker.queue.clear()

    sweeping.sweep()
    at_once = list(broker.queue)
    make_silent()
    sweeping.sweep()

    assert at_once == []
    assert len(broker.queue) == 1


def test_a_task_whose_worker_died_after_the_last_row_is_completed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    with monkeypatch.context() as dying:
        dying.setattr(ending, "complete", lambda *_: None)
        broker.deliver_all()
    assert engine.fresh(task).status == "executing"

    sweeping.sweep()
    broker.deliver_all()

    assert engine.fresh(task).status == "partial"


def test_an_assembly_that_was_cut_off_is_done_again_and_its_file_deleted(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    with monkeypatch.context() as dying:
        dying.setattr(assembly, "hand_over", lambda *_: None)
        broker.deliver_all()
    left_behind = list(TaskCSV.objects.filter(task=None).values_list("key", flat=True))
    Task.objects.update(assembly_until=database_time(-1))
    TaskCSV.objects.filter(task=None).update(kept_until=database_time(-1))
    make_silent()

    sweeping.sweep()
    broker.deliver_all()

    assert engine.fresh(task).status == "partial"
    assert len(left_behind) == 2
    assert not any(storage.default_storage.exists(key) for key in left_behind)
    assert not Part.objects.exists()


def test_an_upload_that_was_given_up_meanwhile_becomes_no_task(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = storing_uploads.store_and_scan

    def too_slow(*arguments: Any) -> Any:
        scan = store(*arguments)
        TaskCSV.objects.update(kept_until=database_time(-1))
        sweeping.sweep()
        return scan

    monkeypatch.setattr(creating, "store_and_scan", too_slow)

    with pytest.raises(storage.StorageUnavailable):
        engine.submit("check", *ROWS)

    assert not Task.objects.exists()


def test_a_finish_that_kills_its_worker_is_given_up(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    task = engine.start(engine.submit("check", *ROWS))
    with monkeypatch.context() as dying:
        dying.setattr(ending, "complete", die)
        for _ in range(worker.MAX_IDLE_CLAIMS + 2):
            with suppress(SystemExit):
                broker.deliver_all()
            make_silent()
            sweeping.sweep()
    broker.deliver_all()

    task = engine.fresh(task)
    assert task.status == "internal_error"
    assert task.reason.startswith("no progress")


def test_an_error_of_one_step_does_not_stop_the_others(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    task = finished(broker)
    lifecycle.remove(task, engine.TESTER)
    monkeypatch.setattr(sweeping, "wake_silent_tasks", broken)

    sweeping.sweep()

    assert not Task.objects.filter(pk=task.pk).exists()
    assert "broken failed" in caplog.text
