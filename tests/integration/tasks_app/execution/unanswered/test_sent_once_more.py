"""Tests a row without an answer that a person sends once more."""

from __future__ import annotations

from typing import Any

import pytest

from categories.contract import RowFailed, StopTask, Succeeded
from tasks_app.files import task_files
from tests import plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import Unformattable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "answer",
    [ConnectionError("cut"), StopTask("enough"), RowFailed("409 exists already"), True],
)
def test_an_idempotent_row_that_is_sent_once_more_in_vain_stays_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", 1)
    task = rows.ended(broker, "", "crash", action="send_again")

    def process(*_: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(plugins.SendAgain, "process", process)
    task = rows.settle(broker, task, "send_again", 2)

    assert rows.counts(task) == (1, 1, 1)
    assert task_files.csv_names(task) == ["in.csv", "out.csv"]
    assert rows.errors(task)[1].endswith("; it was sent 2 times with the same effect key")
    rows.assert_counts_equal_files(task)


@pytest.mark.parametrize("answer", [Succeeded(key=Unformattable()), Succeeded(nonsense="x")])
def test_an_answer_to_one_more_call_that_cannot_be_written_leaves_a_row_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    task = rows.ended(broker, "", "crash")
    monkeypatch.setattr(plugins.Send, "process", lambda *_: answer)

    task = rows.settle(broker, task, "send_again", 2)

    assert rows.counts(task) == (1, 1, 1)
    rows.assert_counts_equal_files(task)
