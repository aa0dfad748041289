"""Tests rows for which the service asks for a pause: nothing happened, and they are sent again."""

from __future__ import annotations

import pytest

from categories.contract import RetryLater, RowFailed
from categories.running import calls
from tasks_app.files import task_files
from tasks_app.models import Effect, Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import answering, die_in_a_call, let_pauses_end, run_through

pytestmark = pytest.mark.django_db(transaction=True)

ACTIONS = ["send", "send_again", "send_many", "send_many_again"]


def seconds_left(effect: Effect) -> float:
    """Return the seconds until a row is sent again."""
    found = Effect.objects.filter(pk=effect.pk, retry_at__gt=database_time(290))
    return 300 if found.filter(retry_at__lt=database_time(301)).exists() else 0


@pytest.mark.parametrize("action", ACTIONS)
def test_a_row_is_sent_again_after_the_time_that_the_service_asked_for(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    answering(monkeypatch, RetryLater(300), None)
    task = rows.ended(broker, "", "later", "", action=action)
    effect = rows.effect(task, 2)
    was = (task.status, effect.state, effect.attempt_count, seconds_left(effect))

    Segment.objects.update(retry_at=None)  # a worker that comes too early
    sweeping.repeat_message(task)
    broker.deliver_all()
    sent_early = len([call for call in plugins.calls if call.startswith("n2")])
    task = run_through(broker, task)

    assert was == ("executing", "waiting", 0, 300)
    assert sent_early == 1
    assert (task.status, rows.counts(task)) == ("success", (3, 0, 0))
    assert len(plugins.calls) == 4
    assert len(set(plugins.calls)) == 3


@pytest.mark.parametrize("action", ACTIONS)
def test_pauses_are_no_attempts(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setattr(plugins.Send, "circuit_breaker", None)
    answering(monkeypatch, *[RetryLater(30)] * 20, None)

    task = run_through(broker, rows.ended(broker, "later", action=action))

    assert rows.counts(task) == (1, 0, 0)
    assert len(plugins.calls) == 21


@pytest.mark.parametrize("action", ACTIONS)
def test_a_row_that_is_put_off_for_too_long_fails_and_can_be_sent_again(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    answering(monkeypatch, RetryLater(300))
    task = rows.ended(broker, "later", "", action=action)
    Effect.objects.update(sent_at=database_time(-3601))

    task = run_through(broker, task)

    assert rows.errors(task)[0] == "not done: for 3600 s the service asked to wait"
    assert rows.counts(task) == (1, 1, 0)
    assert engine.read(task, "failed.csv")[1:] == [["n1", "later"]]
    assert len(plugins.calls) == 2


def test_a_pause_that_would_outlast_the_time_is_not_begun(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, RetryLater(3_601))

    task = rows.ended(broker, "later", action="send")

    assert (task.status, rows.counts(task)) == ("failure", (0, 1, 0))
    assert task_files.csv_names(task) == ["in.csv", "out.csv", "failed.csv"]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_refusal_after_a_pause_is_believed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    answering(monkeypatch, RetryLater(300), RowFailed("400"))

    task = run_through(broker, rows.ended(broker, "later", action=action))

    assert rows.errors(task) == ["400"]
    assert rows.counts(task) == (0, 1, 0)


@pytest.mark.parametrize("action", ["send", "send_many"])
def test_a_death_after_a_pause_leaves_the_row_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    answering(monkeypatch, RetryLater(300), None)
    task = rows.ended(broker, "later", action=action)
    let_pauses_end()
    die_in_a_call(monkeypatch)

    task = run_through(broker, task)

    assert rows.errors(task) == [f"indeterminate: {calls.DIED}; it was not repeated"]


@pytest.mark.parametrize("action", ["send_again", "send_many_again"])
def test_a_pause_after_an_attempt_without_an_answer_proves_nothing_about_that_one(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None, action: str
) -> None:
    answering(monkeypatch, ConnectionError("cut"), RetryLater(300), RowFailed("409"))
    task = rows.ended(broker, "lost", action=action)
    states = [(rows.effect(task, 1).state, rows.effect(task, 1).attempt_count)]
    let_pauses_end()
    sweeping.repeat_message(task)
    broker.deliver_all()
    states.append((rows.effect(task, 1).state, rows.effect(task, 1).attempt_count))

    task = run_through(broker, task)

    assert states == [("sent", 1), ("sent", 1)]
    assert rows.counts(task) == (0, 1, 1)


@pytest.mark.parametrize("seconds", [0, -5, "0", "-1", 0.0])
def test_a_pause_of_no_time_is_none(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    answering(monkeypatch, RetryLater(seconds), None)

    assert rows.counts(rows.ended(broker, "later", action="send")) == (1, 0, 0)


@pytest.mark.parametrize("seconds", [float("nan"), None, "Fri, 31 Dec 1999 23:59:59 GMT", [1]])
def test_a_pause_that_is_no_number_is_a_minute(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    answering(monkeypatch, RetryLater(seconds), None)

    task = rows.ended(broker, "later", action="send")

    assert task.status == "executing"
    assert not Effect.objects.exclude(
        retry_at__gt=database_time(50), retry_at__lt=database_time(61)
    ).exists()
    assert rows.counts(run_through(broker, task)) == (1, 0, 0)


@pytest.mark.parametrize("seconds", [1e12, float("inf"), "1e400"])
def test_a_pause_without_end_fails_the_row(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(plugins.Send, "retry_seconds", 1e8)
    answering(monkeypatch, RetryLater(seconds))

    assert rows.counts(rows.ended(broker, "later", action="send")) == (0, 1, 0)


def test_a_pause_that_lasts_longer_than_any_can_is_over(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, RetryLater(300), None)
    task = rows.ended(broker, "later", action="send")
    let_pauses_end()
    Effect.objects.update(retry_at=database_time(3_700))  # the clock was put back

    sweeping.repeat_message(task)
    broker.deliver_all()

    assert rows.counts(task) == (1, 0, 0)


def test_other_rows_of_a_segment_go_on_during_a_pause(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = rows.ended(broker, "", "later", *[""] * 10, action="send_many")

    assert len(plugins.calls) == 12
    assert rows.counts(task) == (1, 0, 0)
    assert not Segment.objects.claimable().exists()
    assert Task.objects.running().exists()


def test_a_row_that_a_person_sends_again_and_that_is_put_off_stays_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ConnectionError("cut"), RetryLater(5))
    task = rows.ended(broker, "lost", action="send")

    task = rows.settle(broker, task, "send_again", 1)

    assert rows.counts(task) == (0, 1, 1)
    rows.assert_counts_equal_files(task)
