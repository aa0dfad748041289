"""Tests that senders never wait for a frozen broker and that workers without a database requeue."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from celery.exceptions import Reject
from django.db import InterfaceError, OperationalError
from psycopg.errors import LockNotAvailable

from tasks_app import tasks
from tasks_app.errors import LedgerRefused
from tasks_app.execution import assembly
from tasks_app.indeterminate import carrying_out
from tasks_app.queue import dispatch, sending


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Install a broker that never answers; yield the messages that it was given."""
    asked: list[Any] = []
    thaw = threading.Event()

    def never(name: str, args: Any) -> None:
        asked.append(name)
        thaw.wait(30)

    monkeypatch.setattr(sending.current_app, "send_task", never)
    monkeypatch.setattr(sending, "MAX_WAIT_SECONDS", 0.05)
    yield asked
    thaw.set()


def test_a_frozen_broker_costs_one_wait_and_then_nothing(frozen: list[Any]) -> None:
    sender = sending.Sender()

    answers = [sender.send("a message", 1) for _ in range(5)]

    assert answers == [False] * 5
    assert frozen == ["a message"]


def test_a_broker_that_refuses_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, args: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(sending.current_app, "send_task", refuse)

    assert sending.Sender().send("a message") is False


def test_a_message_that_was_taken_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(
        sending.current_app, "send_task", lambda name, args: sent.append((name, args))
    )

    assert sending.Sender().send("a message", "a", 1) is True
    assert sent == [("a message", ("a", 1))]


@pytest.mark.parametrize(
    "trouble",
    [OperationalError("refused"), InterfaceError("closed"), LedgerRefused("no such column")],
)
def test_a_message_is_requeued_when_there_is_no_database(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr("tasks_app.queue.sending.time.sleep", rests.append)

    def away(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(dispatch, "receive", away)
    with pytest.raises(Reject) as rejected:
        tasks.run_slice("a task", 1)

    assert rejected.value.requeue
    assert rests == [sending.REQUEUE_PAUSE_SECONDS]


@pytest.mark.parametrize("trouble", [OperationalError("refused"), LedgerRefused("no such column")])
@pytest.mark.parametrize(
    ("message", "work"),
    [
        (tasks.assemble_output, (assembly, "assemble")),
        (tasks.settle_rows, (carrying_out, "carry_out")),
    ],
)
def test_a_message_that_was_acknowledged_at_once_is_left_to_the_sweeper(
    message: Any,
    work: tuple[Any, str],
    trouble: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: str) -> None:
        raise trouble

    monkeypatch.setattr(*work, fail)

    message("a task")

    assert "A message is left to the sweeper: " in caplog.text


def test_a_message_that_fails_otherwise_is_not_requeued(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(dispatch, "receive", broken)

    with pytest.raises(ZeroDivisionError):
        tasks.run_slice("a task", 1)


def test_a_connection_from_before_a_restart_of_the_broker_loses_no_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[str] = []

    def reset_once(name: str, args: Any) -> None:
        tries.append(name)
        if len(tries) == 1:
            raise ConnectionResetError

    monkeypatch.setattr(sending.current_app, "send_task", reset_once)

    assert sending.Sender().send("a message") is True
    assert tries == ["a message"] * 2


def test_a_message_that_met_a_lock_is_left_to_the_sweeper(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def meet_a_lock(*_: object) -> bool:
        raise OperationalError("lock timeout") from LockNotAvailable()

    monkeypatch.setattr(dispatch, "receive", meet_a_lock)

    tasks.run_slice("x", 1)

    assert "left to the sweeper: lock timeout" in caplog.text
