"""Tests how often, and for how long, a row without an answer is sent again."""

from __future__ import annotations

import time

import pytest

from categories.contract import RowFailed
from tasks_app.files import task_files
from tasks_app.models import Effect
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import CUT, answering, let_pauses_end

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("lost", [ConnectionError("cut"), TimeoutError("late"), ValueError("502")])
def test_a_row_without_an_answer_is_sent_again_with_its_key(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None, lost: Exception
) -> None:
    answering(monkeypatch, lost, lost, None)

    task = rows.ended(broker, "", "lost", "", action="send_again")

    assert (task.status, rows.counts(task)) == ("success", (3, 0, 0))
    assert len(plugins.calls) == 5
    assert len(set(plugins.calls)) == 3
    assert rows.effect(task, 2).attempt_count == 3


def test_a_row_that_times_out_is_sent_again_with_its_key(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    waits = [lambda: time.sleep(60), lambda: None]
    monkeypatch.setattr(plugins, "obey", lambda _: waits.pop(0)())

    task = rows.ended(broker, "sleep", action="send_again")

    assert rows.counts(task) == (1, 0, 0)
    assert len(plugins.calls) == 2
    assert len(set(plugins.calls)) == 1


def test_a_row_that_stays_without_an_answer_is_indeterminate_and_in_no_other_file(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))

    task = rows.ended(broker, "", "lost", action="send_again")

    assert rows.counts(task) == (1, 1, 1)
    assert rows.errors(task)[1] == f"{CUT}; it was sent 6 times with the same effect key"
    assert task_files.csv_names(task) == ["in.csv", "out.csv"]
    assert len(set(plugins.calls)) == 2


def test_an_action_that_is_not_idempotent_sends_a_row_once(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ConnectionError("cut"))

    task = rows.ended(broker, "", "lost", action="send")

    assert rows.errors(task)[1] == f"{CUT}; it was not repeated"
    assert len(plugins.calls) == 2
    assert task_files.csv_names(task) == ["in.csv", "out.csv"]


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_an_action_says_how_often_a_row_is_sent(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None, attempts: int
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", attempts)
    answering(monkeypatch, ConnectionError("cut"))

    rows.ended(broker, "lost", action="send_again")

    assert len(plugins.calls) == attempts


def test_an_action_says_for_how_long_a_row_is_sent_again(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "retry_seconds", 100.0)
    answering(monkeypatch, ConnectionError("cut"))

    task = rows.ended(broker, "lost", action="send_again")
    let_pauses_end()
    Effect.objects.update(sent_at=database_time(-101))
    sweeping.repeat_message(task)
    broker.deliver_all()

    assert len(plugins.calls) == 1
    assert rows.counts(task) == (0, 1, 1)


def test_a_pause_that_would_outlast_the_time_is_not_begun(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "retry_seconds", 29.0)
    answering(monkeypatch, ConnectionError("cut"))

    task = rows.ended(broker, "lost", action="send_again")

    assert (task.status, rows.counts(task)) == ("failure", (0, 1, 1))


def test_a_refusal_of_the_first_attempt_is_believed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, RowFailed("400"))

    task = rows.ended(broker, "no", action="send_again")

    assert rows.errors(task) == ["400"]
    assert task_files.csv_names(task) == ["in.csv", "out.csv", "failed.csv"]


def test_a_refusal_after_an_attempt_without_an_answer_is_about_the_last_one_only(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), RowFailed("409 exists already"))

    task = rows.ended(broker, "twice", action="send_again")

    assert rows.counts(task) == (0, 1, 1)
    (error,) = rows.errors(task)
    assert error == (
        "indeterminate: an earlier attempt had no answer, the last one was refused"
        " (409 exists already); it was sent 2 times with the same effect key"
    )
    assert task_files.csv_names(task) == ["in.csv", "out.csv"]
