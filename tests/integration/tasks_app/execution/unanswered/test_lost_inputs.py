"""Tests rows without an answer whose input is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from tasks_app import lifecycle
from tasks_app.files import task_files
from tasks_app.models import Task, TaskCSV
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import CUT, answering, die_in_a_call, run_through

pytestmark = pytest.mark.django_db(transaction=True)


def input_path(task: Task) -> Path:
    return Path(default_storage.path(TaskCSV.objects.get(task=task, name="in.csv").key))


def lose(task: Task) -> bytes:
    """Delete a task's input; return its bytes."""
    content = input_path(task).read_bytes()
    input_path(task).unlink()
    return content


def edit(task: Task) -> bytes:
    """Edit a task's input; return the bytes that it had."""
    content = input_path(task).read_bytes()
    input_path(task).write_bytes(content.replace(b"n1,", b"x1,"))
    return content


def restore(task: Task, content: bytes) -> None:
    """Put a task's input back, and ask for it, so that it is offered again."""
    input_path(task).write_bytes(content)
    task_files.open_file(engine.fresh(task), "in.csv")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lose, "the input is missing: rows 3 to 3"),
        (edit, "the input has changed since its upload: rows 1 to 3"),
    ],
)
@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_row_without_an_answer_outlives_its_input(
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
    long_pauses: None,
    damage: Callable[[Task], bytes],
    reason: str,
    is_stopped: bool,
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", "", action="send_again")

    content = damage(task)
    if is_stopped:
        lifecycle.stop(task, engine.TESTER)
    task = run_through(broker, task)
    restore(task, content)

    assert task.reason == ("" if is_stopped else reason)
    assert rows.counts(task) == (1, 1, 1)
    assert rows.errors(task) == ["", f"{CUT}; it was not repeated"]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n3", ""]]
    assert len(plugins.calls) == 2
    rows.assert_counts_equal_files(task)


def test_a_row_whose_worker_died_in_its_call_outlives_its_input(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send", "name", "n1", "n2"))
    die_in_a_call(monkeypatch)
    lose(task)

    broker.deliver_all()

    assert rows.counts(task) == (0, 1, 1)
    assert engine.fresh(task).reason == "the input is missing: rows 2 to 2"


def test_a_last_row_without_an_answer_leaves_nothing_to_be_lost_but_the_whole_input(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", action="send_again")

    lose(task)
    task = run_through(broker, task)

    assert (task.status, rows.counts(task)) == ("internal_error", (1, 1, 1))
    assert task.reason == "the input is missing: rows 1 to 2"


@pytest.mark.parametrize(
    ("decision", "counts"),
    [("done", (2, 0, 0)), ("not_done", (1, 1, 0)), ("send_again", (2, 0, 0))],
)
def test_people_settle_a_row_whose_input_is_lost(
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
    long_pauses: None,
    decision: str,
    counts: tuple[int, int, int],
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    task = rows.ended(broker, "", "lost", "", action="send_again")
    content = lose(task)
    task = run_through(broker, task)

    task = rows.settle(broker, task, decision, 2)
    restore(task, content)

    assert rows.counts(task) == counts
    assert rows.effect(task, 2).input_line is None
    rows.assert_counts_equal_files(task)


def test_a_line_comes_back_byte_for_byte_from_the_journal(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    lines = ["", '"n ""1""\n,\r",lost\r', "", "n2,"]
    task = engine.start(engine.submit("send_again", "name,do", *lines))
    broker.deliver_all()

    content = lose(task)
    task = run_through(broker, task)
    restore(task, content)

    output = b"".join(task_files.open_file(task, "out.csv").read())
    left = b"".join(task_files.open_file(engine.fresh(task), "unprocessed.csv").read())
    assert output.startswith(b'name,do,key,error\n"n ""1""\n,\r",lost,,')
    assert left == b"name,do\n\nn2,\n"


def test_the_journal_keeps_no_line_of_a_row_whose_outcome_is_known(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "fail", action="send_again")

    assert set(task.effects.values_list("input_line", flat=True)) == {None}


def test_a_row_that_an_older_release_sent_is_not_offered_once_its_input_was_lost(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", "", action="send_again")
    task.effects.update(input_line=None, input_end_offset=None)

    content = lose(task)
    task = run_through(broker, task)
    restore(task, content)

    assert task_files.csv_names(engine.fresh(task)) == ["in.csv", "out.csv"]
    assert rows.decide(task, "done", 2).refused == {
        2: "it is in no file: an older version sent it, and then its input was lost"
    }


def test_a_row_that_an_older_version_sent_is_read_from_its_input(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", "", action="send_again")
    task.effects.update(input_line=None, input_end_offset=None)

    lifecycle.stop(task, engine.TESTER)
    broker.deliver_all()
    task = rows.settle(broker, task, "not_done", 2)

    assert engine.read(task, "failed.csv") == [["name", "do"], ["n2", "lost"]]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n3", ""]]
