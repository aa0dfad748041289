"""Tests rows whose effect is unknown after a call."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DataError

from categories.contract import RowFailed, StopTask, Succeeded
from categories.contract.rows import RowShape
from categories.running import failure_log
from tasks_app.execution import assembly, ledger
from tasks_app.files import task_files
from tasks_app.models import Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import (
    CUT,
    Unformattable,
    answering,
    die_in_a_call,
    let_pauses_end,
    run_through,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("action", ["send", "send_again"])
def test_a_row_on_which_the_action_stops_the_task_is_indeterminate(
    broker: FakeBroker, action: str
) -> None:
    task = rows.ended(broker, "", "stop", "", action=action)

    assert (task.status, task.reason) == ("partial", "told to stop")
    assert rows.errors(task) == [
        "",
        "indeterminate: the action stopped the task: told to stop; it was not repeated",
    ]
    assert task_files.csv_names(task) == ["in.csv", "out.csv", "unprocessed.csv"]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n3", ""]]


@pytest.mark.parametrize(
    "answer",
    [
        True,
        False,
        {"key": "x"},
        "sent",
        Succeeded(key=Unformattable()),
        Succeeded("text"),
        Succeeded.many([{"key": "x"}, {"nonsense": "x"}]),
        Succeeded.many([1, 2]),  # type: ignore[list-item]
    ],
)
@pytest.mark.parametrize("action", [plugins.Send, plugins.SendAgain])
def test_an_answer_that_is_no_outcome_or_cannot_be_written_is_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: Any, answer: Any
) -> None:
    monkeypatch.setattr(action, "process", lambda *_: answer)

    task = rows.ended(broker, "", "", action=action.name)

    assert (task.status, rows.counts(task)) == ("failure", (0, 2, 2))
    assert task_files.csv_names(task) == ["in.csv", "out.csv"]


def test_an_answer_that_the_database_refuses_is_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = ledger.commit_batch

    def refuse_success(segment: Segment, done: ledger.Done, **options: Any) -> None:
        if done.success_count:
            raise DataError("string or blob too big")
        commit(segment, done, **options)

    monkeypatch.setattr(ledger, "commit_batch", refuse_success)

    task = rows.ended(broker, "", action="send_again")

    assert rows.counts(task) == (0, 1, 1)
    assert (
        "the answer cannot be written (DataError: the details are in the log)"
        in rows.errors(task)[0]
    )


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "x" * 5_000])
def test_what_an_exception_says_cannot_stop_a_row_from_being_repeated(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None, text: str
) -> None:
    monkeypatch.setattr(failure_log.logger, "disabled", True)  # it cannot be a test's output
    answering(monkeypatch, ConnectionError(text), None)

    task = rows.ended(broker, "lost", action="send_again")

    assert rows.counts(task) == (1, 0, 0)


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_a_reason_that_no_database_keeps_stops_a_task_all_the_same(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    answering(monkeypatch, StopTask(text))

    task = rows.ended(broker, "stop", "", action="send")

    assert (task.status, task.reason[0], task.reason[-1]) == ("failure", "a", "b")


def test_a_row_that_its_columns_reject_after_it_was_sent_is_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send_again", "name", "n1"))
    die_in_a_call(monkeypatch)
    monkeypatch.setattr(RowShape, "parse_batch", lambda *_: [RowFailed("bad field(s) name: no")])

    broker.deliver_all()

    assert rows.counts(task) == (0, 1, 1)
    assert rows.effect(task, 1).state == "indeterminate"
    assert task_files.csv_names(engine.fresh(task)) == ["in.csv", "out.csv"]


def test_a_task_that_is_broken_in_a_pause_does_not_offer_the_row_as_unprocessed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "lost", "", action="send_again")
    let_pauses_end()
    Task.objects.filter(pk=task.pk).update(
        category_version="of long ago", unfit_since=database_time(-100_000)
    )

    sweeping.end_unfit(engine.fresh(task))
    task = run_through(broker, task)

    assert rows.errors(task) == [f"{CUT}; it was not repeated"]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n2", ""]]


def test_an_assembly_in_a_pause_leaves_the_row_to_its_next_attempt(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    task = rows.ended(broker, "lost", action="send_again")

    assembly.assemble(task.pk)
    task = run_through(broker, task)

    assert rows.counts(task) == (1, 0, 0)
