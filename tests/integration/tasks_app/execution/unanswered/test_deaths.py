"""Tests what happens when a worker dies while it sends a row."""

from __future__ import annotations

import pytest

from tasks_app.execution import poison_rows
from tasks_app.files import task_files
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import answering, die_in_a_call

pytestmark = pytest.mark.django_db(transaction=True)


def test_attempts_are_counted_through_the_death_of_workers(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", 3)
    answering(monkeypatch, ConnectionError("cut"))
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost"))

    die_in_a_call(monkeypatch)
    broker.deliver_all()

    assert len(plugins.calls) == 3
    assert rows.counts(task) == (0, 1, 1)


def test_a_row_whose_last_attempt_killed_its_worker_is_not_sent_again(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", 2)
    task = engine.start(engine.submit("send_again", "name", "n1"))

    for _ in range(2):
        die_in_a_call(monkeypatch)
    broker.deliver_all()

    assert len(plugins.calls) == 2
    (error,) = rows.errors(task)
    assert error == (
        "indeterminate: a worker died, or lost the database, while it was being sent;"
        " it was sent 2 times with the same effect key"
    )


def test_an_idempotent_row_that_kills_its_workers_is_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poison_rows, "GRACE_SECONDS", -1)
    task = engine.start(engine.submit("send_again", "name", "n1", "n2"))

    for _ in range(3):
        die_in_a_call(monkeypatch)
    broker.deliver_all()

    assert rows.errors(task)[0] == (
        "indeterminate: the worker died on this row, 2 times;"
        " it was sent 3 times with the same effect key"
    )
    assert task_files.csv_names(engine.fresh(task)) == ["in.csv", "out.csv"]


def test_attempts_without_an_answer_are_no_deaths(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    lost = ConnectionError("cut")
    answering(monkeypatch, lost, lost, lost, lost, None)
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost"))

    die_in_a_call(monkeypatch)
    broker.deliver_all()

    assert (len(plugins.calls), rows.counts(task)) == (5, (1, 0, 0))
