"""Tests that rows run only from the uploaded bytes, whatever happens to the stored input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from tasks_app.csv_files import blocks
from tasks_app.errors import CSVNotFound
from tasks_app.execution import batches
from tasks_app.files import task_files
from tasks_app.models import Task, TaskCSV, TaskEvent
from tests import engine
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = [f"n{number:03}," for number in range(100)]  # six bytes each, after a header of eight
BLOCK = 60
Change = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "FIRST_BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(blocks, "MAX_BLOCK_BYTES", BLOCK)


def begin(action: str = "check", *, batch_size: int = 10) -> Task:
    """Start a task of a hundred rows."""
    task = engine.start(engine.submit(action, "name,do", *ROWS))
    task.segments.update(batch_size=batch_size)
    return task


def path_of(task: Task) -> Path:
    return Path(default_storage.path(TaskCSV.objects.get(task=task, name="in.csv").key))


def alter(task: Task, change: Change) -> None:
    path = path_of(task)
    path.write_bytes(change(path.read_bytes()))


def altering_after(
    monkeypatch: pytest.MonkeyPatch, row_count: int, act: Callable[[], object]
) -> None:
    """Do something once so many rows of the task are done, at the next slice's beginning."""
    run_next_batch = batches.run_next_batch
    is_done = False

    def run_one(run: batches.Run) -> bool:
        nonlocal is_done
        if run.segment.cursor_row >= row_count and not is_done:
            is_done = True
            act()
            run.close()  # as when a slice ends here
        return run_next_batch(run)

    monkeypatch.setattr(batches, "run_next_batch", run_one)
    monkeypatch.setattr(batches, "next_size", lambda *_: 10)


def seen_names(task: Task) -> list[str]:
    return [row[0] for row in engine.read(task)[1:]]


def edit(row: int) -> Change:
    return lambda content: content.replace(b"\nn%03d," % row, b"\nx%03d," % row)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit(75), "the input has changed since its upload: rows 69 to 79"),
        (lambda content: content[:400], "the input has changed since its upload: rows 59 to 100"),
        (lambda content: content + b"n100,\n", "the input has changed since its upload: rows"),
        (lambda content: content.replace(b"n", b"m"), "the input has changed since its upload:"),
    ],
    ids=["edited", "cut off", "grown", "replaced"],
)
def test_no_row_is_run_from_bytes_that_were_not_uploaded(
    change: Change, said: str, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = begin()
    altering_after(monkeypatch, 20, lambda: alter(task, change))

    broker.deliver_all()

    task = engine.fresh(task)
    names = seen_names(task)
    assert task.status == "internal_error"
    assert task.reason.startswith(said)
    assert names == [f"n{number:03}" for number in range(len(names))]
    assert 20 <= len(names) == task.success_count < 100
    assert task_files.csv_names(task) == ["out.csv"]


def test_an_edit_of_rows_that_are_done_is_found_before_the_task_is_complete(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = begin()
    altering_after(monkeypatch, 50, lambda: alter(task, edit(3)))

    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, task.success_count) == ("internal_error", 100)
    assert task.reason == "the input has changed since its upload: rows 1 to 9"
    assert len(seen_names(task)) == 100
    assert task_files.csv_names(task) == ["out.csv"]


def test_an_input_that_vanishes_ends_its_task_with_the_rows_that_are_lost(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = begin()
    altering_after(monkeypatch, 20, lambda: path_of(task).unlink())

    broker.deliver_all()

    task = engine.fresh(task)
    assert task.status == "internal_error"
    assert task.reason == "the input is missing: rows 21 to 100"
    assert task_files.csv_names(task) == ["out.csv"]
    with pytest.raises(CSVNotFound):
        task_files.open_file(task, "unprocessed.csv")


def test_what_staff_can_know_of_a_lost_input_is_in_an_event(broker: FakeBroker) -> None:
    task = begin()
    key = TaskCSV.objects.get(task=task).key
    path_of(task).unlink()

    broker.deliver_all()

    event = TaskEvent.objects.get(task_id=task.pk, kind="broken")
    assert key in event.detail["detail"]
    assert key not in engine.fresh(task).reason


def test_a_task_of_an_older_release_runs_without_checksums(broker: FakeBroker) -> None:
    task = begin()
    TaskCSV.objects.update(block_bytes=None, checksums=None, block_rows=None)

    broker.deliver_all()

    assert engine.fresh(task).status == "success"


def test_a_task_of_an_older_release_ends_when_its_input_is_cut_off(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = begin()
    TaskCSV.objects.update(block_bytes=None, checksums=None, block_rows=None)
    altering_after(monkeypatch, 20, lambda: alter(task, lambda content: content[:-100]))

    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, task.success_count) == ("internal_error", 20)
    assert task.reason == "the input has changed since its upload: rows 21 to 100"
