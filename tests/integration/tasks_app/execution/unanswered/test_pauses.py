"""Tests how long a row without an answer waits, and that it delays no other task."""

from __future__ import annotations

import pytest

from tasks_app import lifecycle
from tasks_app.execution import rate_limit, worker
from tasks_app.models import Segment
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import CUT, answering, let_pauses_end, run_through

pytestmark = pytest.mark.django_db(transaction=True)


def test_pauses_double_up_to_a_minute_and_every_worker_keeps_to_them(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", 9)
    answering(monkeypatch, ConnectionError("cut"))
    pauses: list[float] = []
    monkeypatch.setattr(
        rate_limit, "wait_unless_needed", lambda seconds: bool(pauses.append(seconds))
    )
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost"))

    broker.deliver_all()
    is_claimable = Segment.objects.claimable().exists()
    run_through(broker, task)

    assert not is_claimable
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_worker_waits_in_place_for_a_second_and_only_when_no_other_task_waits(
    monkeypatch: pytest.MonkeyPatch, broker: FakeBroker
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(rate_limit.time, "sleep", slept.append)

    alone = rate_limit.wait_unless_needed(1.0)
    too_long = rate_limit.wait_unless_needed(1.1)
    engine.start(engine.submit("check", "name", "n1"))
    beside_others = rate_limit.wait_unless_needed(1.0)

    assert (alone, too_long, beside_others) == (True, False, False)
    assert slept == [1.0]


def test_other_tasks_run_during_a_pause(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    waiting = engine.start(engine.submit("send_again", "name,do", "n1,lost", "n2,"))

    other = rows.ended(broker, "", "", action="send")
    was = engine.fresh(waiting).status
    waiting = run_through(broker, waiting)

    assert (was, other.status, waiting.status) == ("executing", "success", "success")


def test_the_sweeper_wakes_a_task_when_its_pause_is_over(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    task = rows.ended(broker, "lost", action="send_again")

    sweeping.sweep()
    messages_in_the_pause = len(broker.queue)
    let_pauses_end()
    rows.recover(broker)

    assert messages_in_the_pause == 0
    assert engine.fresh(task).status == "success"


def test_a_task_that_waits_again_and_again_is_not_given_up(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", worker.MAX_IDLE_CLAIMS + 5)
    monkeypatch.setattr(plugins.SendAgain, "retry_seconds", 1e9)
    lost = [ConnectionError("cut")] * (worker.MAX_IDLE_CLAIMS + 2)
    answering(monkeypatch, *lost, None)

    task = run_through(broker, rows.ended(broker, "lost", action="send_again"))

    assert task.status == "success"


def test_a_stop_in_a_pause_takes_effect_at_once(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", "", action="send_again")

    lifecycle.stop(task, engine.TESTER)
    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, task.is_assembled) == ("stopped", True)
    assert rows.errors(task) == ["", f"{CUT}; it was not repeated"]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n3", ""]]


def test_a_stop_while_a_worker_waits_in_place_takes_effect_when_it_wakes(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost", "n2,"))
    monkeypatch.setattr(rate_limit.time, "sleep", lambda _: lifecycle.stop(task, engine.TESTER))

    broker.deliver_all()

    task = engine.fresh(task)
    assert task.is_assembled
    assert len(plugins.calls) == 1
    assert rows.counts(task) == (0, 1, 1)


def test_a_stop_in_a_call_that_has_no_answer_ends_its_attempts(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost", "n2,"))

    def stop_and_lose(_: str | None) -> None:
        lifecycle.stop(task, engine.TESTER)
        raise ConnectionError("cut")

    monkeypatch.setattr(plugins, "obey", stop_and_lose)
    broker.deliver_all()

    assert rows.errors(task) == [f"{CUT}; it was not repeated"]
    assert len(plugins.calls) == 1
