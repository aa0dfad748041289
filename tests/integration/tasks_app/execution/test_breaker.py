"""Tests the circuit breaker: a task pauses while calls to the outside fail, and says so."""

from __future__ import annotations

import pytest

from categories.contract import CircuitBreaker, RetryLater, RowFailed
from categories.errors import BrokenDeclaration
from tasks_app import lifecycle
from tasks_app.execution import breaker, claiming
from tasks_app.models import Effect, Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import answering, let_pauses_end, run_through

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "paused: calls to the outside service fail; one row is tried every 30 seconds"
LOST = ConnectionError("cut")


@pytest.fixture(autouse=True)
def sensitive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open after four calls."""
    quick = CircuitBreaker(share=0.5, min_calls=4, give_up_seconds=1_000)
    monkeypatch.setattr(plugins.Send, "circuit_breaker", quick)


def come_back(broker: FakeBroker, task: Task) -> Task:
    """Let the pause be over, and a worker come back."""
    let_pauses_end()
    sweeping.repeat_message(task)
    broker.deliver_all()
    return engine.fresh(task)


@pytest.mark.parametrize("action", ["send", "send_many"])
@pytest.mark.parametrize("failure", [LOST, RetryLater(5)])
def test_a_task_whose_calls_fail_pauses_and_says_so(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str, failure: Exception
) -> None:
    monkeypatch.setattr(plugins.SendMany, "concurrency", 4)
    answering(monkeypatch, failure)

    task = rows.ended(broker, *["lost"] * 20, action=action)
    if isinstance(failure, RetryLater) and action == "send":
        for _ in range(3):
            task = come_back(broker, task)

    assert (task.status, task.reason) == ("executing", REASON)
    assert len(plugins.calls) == 4
    assert not Segment.objects.claimable().exists()
    assert claiming.claim_next("another", 20) is None


def test_one_row_is_tried_after_the_pause_by_one_worker_only(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, LOST)
    task = rows.ended(broker, *["lost"] * 20, action="send_many")
    let_pauses_end()
    admissions = [breaker.admit(task, plugins.SendMany(), 60) for _ in range(3)]

    assert [each.value for each in admissions] == ["one", "none", "none"]

    plugins.calls.clear()
    task = come_back(broker, task)
    assert len(plugins.calls) == 1
    assert task.reason == REASON
    assert not Segment.objects.claimable().exists()


@pytest.mark.parametrize("action", ["send", "send_many"])
@pytest.mark.parametrize("answer", [None, RowFailed("400")])
def test_an_answer_ends_the_pause_and_takes_the_reason_away(
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    answer: Exception | None,
) -> None:
    answering(monkeypatch, *[LOST] * 4, answer)
    task = rows.ended(broker, *["lost"] * 12, action=action)
    before = task.revision
    plugins.calls.clear()

    task = come_back(broker, task)

    assert len(plugins.calls) == 8
    assert (task.is_final, task.reason) == (True, "")
    assert task.revision > before
    assert (task.success_count == 8) == (answer is None)


def test_a_missing_table_is_no_fault_of_the_service(broker: FakeBroker) -> None:
    task = rows.ended(broker, *["miss"] * 8, action="send_many")

    assert task.waiting_for
    assert (task.reason, task.failing_since) == ("", None)


def test_refusals_are_answers(broker: FakeBroker) -> None:
    task = rows.ended(broker, *["fail"] * 20, action="send")

    assert (task.status, task.failure_count) == ("failure", 20)


def test_a_task_pauses_only_for_its_share_of_failures(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = rows.ended(broker, *["", "", "lost", ""] * 5, action="send")
    answering(monkeypatch, None, LOST, None, LOST, LOST)  # a window begins with a failure
    many = rows.ended(broker, *["lost"] * 8, action="send")

    assert few.is_final
    assert many.reason == REASON
    assert len(plugins.calls) == 20 + 5


def test_failures_of_long_ago_do_not_count(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.submit("send", "name,do", *[f"n{row},lost" for row in range(5)])

    def lose_slowly(_: str | None) -> None:
        Task.objects.update(counted_since=database_time(-121))
        raise LOST

    monkeypatch.setattr(plugins, "obey", lose_slowly)
    engine.start(task)
    broker.deliver_all()

    assert engine.fresh(task).is_final


def test_a_task_that_fails_for_too_long_ends_and_can_be_retried(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, *[LOST] * 5, None)
    task = rows.ended(broker, *["lost"] * 12, action="send_many")
    Task.objects.update(failing_since=database_time(-1_001))

    task = come_back(broker, task)

    assert task.status == "internal_error"
    assert task.reason == "calls to the outside service failed for 1000 seconds"
    assert rows.counts(task) == (0, 5, 5)
    lifecycle.retry(task, engine.TESTER)
    broker.deliver_all()
    task = engine.fresh(task)
    assert (task.status, rows.counts(task)) == ("partial", (7, 5, 5))
    assert task.reason == ""


def test_a_stopped_task_has_no_reason_to_pause(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, LOST)
    task = rows.ended(broker, *["lost"] * 12, action="send")

    lifecycle.stop(task, engine.TESTER)
    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, task.reason, task.is_assembled) == ("stopped", "", True)


def test_a_trial_whose_worker_died_delays_the_next_one_only(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, *[LOST] * 4, None)
    task = rows.ended(broker, *["lost"] * 12, action="send")
    let_pauses_end()
    assert breaker.admit(task, plugins.Send(), 60) is breaker.Admission.ONE

    task = run_through(broker, task)

    assert rows.counts(task) == (8, 4, 4)


def test_an_action_can_do_without(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins.Send, "circuit_breaker", None)
    answering(monkeypatch, LOST)

    task = rows.ended(broker, *["lost"] * 20, action="send")

    assert (task.is_final, len(plugins.calls)) == (True, 20)


def test_other_tasks_run_during_a_pause(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, LOST)
    rows.ended(broker, *["lost"] * 12, action="send")

    assert rows.ended(broker, "", "", action="send").status == "success"


def test_an_idempotent_row_is_not_lost_to_the_pauses(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    answering(monkeypatch, *[LOST] * 4, None)
    task = rows.ended(broker, *["lost"] * 3, action="send_again")

    task = run_through(broker, task)

    assert rows.counts(task) == (3, 0, 0)
    assert Effect.objects.get(task=task, row_number=1).attempt_count == 5


@pytest.mark.parametrize(
    "numbers",
    [
        {"share": 0},
        {"share": 1.1},
        {"min_calls": 0},
        {"pause_seconds": 3_601},
        {"window_seconds": -1},
        {"give_up_seconds": float("inf")},
    ],
)
def test_numbers_that_make_no_sense_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(BrokenDeclaration, match=next(iter(numbers))):
        CircuitBreaker(**numbers)  # type: ignore[arg-type]
