"""Does the sweeper repair everything that can be cut off?"""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tasks_app import creating, lifecycle
from tasks_app.errors import ClaimLost
from tasks_app.execution import assembly, ending, worker
from tasks_app.files import storage
from tasks_app.models import CSVName, Part, Segment, Task, TaskCSV, TaskEvent
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
    """Let all messages be so old that they must be lost."""
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


def test_a_removed_task_leaves_its_events_and_nothing_else(broker: FakeBroker) -> None:
    task = finished(broker)
    keys = [csv.key for csv in task.csvs.all()]

    lifecycle.remove(task, engine.TESTER)
    sweeping.sweep()

    assert not Task.objects.filter(pk=task.pk).exists()
    assert not Segment.objects.filter(task=task.pk).exists()
    assert not any(storage.default_storage.exists(key) for key in keys)
    kinds = TaskEvent.objects.filter(task_id=task.pk).values_list("kind", flat=True)
    assert list(kinds) == ["created", "started", "ended", "removed"]


def test_one_sweep_purges_as_much_as_there_is_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "MAX_AT_ONCE", 2)
    for _ in range(9):
        lifecycle.remove(engine.submit("check", *ROWS), engine.TESTER)
    in_trouble = Task.objects.order_by("pk")[0].pk
    purge = sweeping.purge

    def purge_most(task: Task) -> None:
        assert task.pk != in_trouble
        purge(task)

    monkeypatch.setattr(sweeping, "purge", purge_most)

    sweeping.purge_removed_tasks()
    sweeping.delete_orphaned_files()

    assert [task.pk for task in Task.objects.all()] == [in_trouble]
    assert TaskCSV.objects.count() == 1


def test_a_sweep_goes_on_to_its_next_step_when_purging_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeping, "MAX_AT_ONCE", 2)
    monkeypatch.setattr(sweeping, "DELETING_SECONDS", 0)
    for _ in range(3):
        lifecycle.remove(engine.submit("count"), engine.TESTER)

    sweeping.purge_removed_tasks()

    assert Task.objects.count() == 1


def test_a_file_being_written_is_kept_and_an_abandoned_one_deleted(broker: FakeBroker) -> None:
    living = storage.reserve("ab" * 15, CSVName.INPUT)
    dead = storage.reserve("cd" * 15, CSVName.INPUT)
    for csv_file in (living, dead):
        storage.save(csv_file, io.BytesIO(b"name\nx\n"))
    TaskCSV.objects.filter(pk=dead.pk).update(kept_until=database_time(-1))

    sweeping.sweep()

    assert storage.default_storage.exists(living.key)
    assert not storage.default_storage.exists(dead.key)
    assert not TaskCSV.objects.filter(pk=dead.pk).exists()


def test_an_upload_that_was_given_up_meanwhile_becomes_no_task(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = creating.store_and_scan

    def too_slow(*arguments: Any) -> Any:
        scan = store(*arguments)
        TaskCSV.objects.update(kept_until=database_time(-1))
        sweeping.sweep()
        return scan

    monkeypatch.setattr(creating, "store_and_scan", too_slow)

    with pytest.raises(storage.StorageUnavailable):
        engine.submit("check", *ROWS)

    assert not Task.objects.exists()


def test_a_file_that_is_being_deleted_is_given_to_no_task(broker: FakeBroker) -> None:
    task = engine.submit("check", *ROWS)
    csv_file = storage.reserve(task.pk, CSVName.OUTPUT)
    TaskCSV.objects.filter(pk=csv_file.pk).update(is_given_up=True)

    kept = csv_file.keep(60)
    with pytest.raises(ClaimLost):
        assembly.hand_over(task, [csv_file])

    assert not kept
    assert not TaskCSV.objects.filter(task=task, name="out.csv").exists()


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


def test_tasks_expire_only_when_that_is_asked_for(broker: FakeBroker, settings: Any) -> None:
    task = finished(broker)
    Task.objects.update(ended_at=timezone.now() - timedelta(days=8))

    sweeping.sweep()
    kept = Task.objects.filter(pk=task.pk).exists()
    settings.PISTON_TASK_KEEP_DAYS = 7
    sweeping.sweep()
    sweeping.sweep()

    assert kept
    assert not Task.objects.filter(pk=task.pk).exists()
    assert TaskEvent.objects.filter(task_id=task.pk, kind="expired").exists()


def test_one_steps_trouble_does_not_stop_the_others(
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
