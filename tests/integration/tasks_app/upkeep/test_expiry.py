"""Tests that the sweeper removes expired tasks, and deletes removed tasks and orphaned files."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tasks_app import lifecycle
from tasks_app.errors import ClaimLost
from tasks_app.execution import assembly
from tasks_app.files import storage
from tasks_app.models import CSVName, Segment, Task, TaskCSV, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.upkeep import expiry, sweeping
from tests import engine
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = ["name,do", "n0,", "n1,fail", "n2,"]


def finished(broker: FakeBroker) -> Task:
    task = engine.start(engine.submit("check", *ROWS))
    broker.deliver_all()
    return engine.fresh(task)


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


def test_one_sweep_purges_several_batches_and_skips_a_failing_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiry, "MAX_TASKS_AT_ONCE", 2)
    for _ in range(9):
        lifecycle.remove(engine.submit("check", *ROWS), engine.TESTER)
    in_trouble = Task.objects.order_by("pk")[0].pk
    purge = expiry.purge

    def purge_most(task: Task) -> None:
        assert task.pk != in_trouble
        purge(task)

    monkeypatch.setattr(expiry, "purge", purge_most)

    expiry.purge_removed_tasks()
    expiry.delete_orphaned_files()

    assert [task.pk for task in Task.objects.all()] == [in_trouble]
    assert TaskCSV.objects.count() == 1


def test_a_sweep_goes_on_to_its_next_step_when_purging_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiry, "MAX_TASKS_AT_ONCE", 2)
    monkeypatch.setattr(expiry, "DELETING_SECONDS", 0)
    for _ in range(3):
        lifecycle.remove(engine.submit("count"), engine.TESTER)

    expiry.purge_removed_tasks()

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


def test_a_file_that_is_being_deleted_is_given_to_no_task(broker: FakeBroker) -> None:
    task = engine.submit("check", *ROWS)
    csv_file = storage.reserve(task.pk, CSVName.OUTPUT)
    TaskCSV.objects.filter(pk=csv_file.pk).update(is_given_up=True)

    kept = csv_file.keep(60)
    with pytest.raises(ClaimLost):
        assembly.hand_over(task, [csv_file])

    assert not kept
    assert not TaskCSV.objects.filter(task=task, name="out.csv").exists()


def test_tasks_expire_only_when_a_setting_asks_for_it(broker: FakeBroker, settings: Any) -> None:
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
