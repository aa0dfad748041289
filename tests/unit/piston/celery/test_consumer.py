"""Does a worker wait, and log the reason, after any error of its broker?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import amqp
import celery
import pytest
import redis
from celery.exceptions import WorkerShutdown
from celery.worker.state import active_requests
from django.db import OperationalError

from piston.celery import consumer
from piston.celery.consumer import Consumer

TROUBLES = [
    amqp.AccessRefused("login was refused"),
    amqp.NotAllowed("no such virtual host"),
    amqp.PreconditionFailed("in hand for too long"),
    redis.exceptions.ReadOnlyError("a replica"),
    redis.exceptions.OutOfMemoryError("full"),
    redis.exceptions.NoPermissionError("not this command"),
    redis.exceptions.ResponseError("MISCONF"),
    ConnectionRefusedError("nobody there"),
    AttributeError("what libraries raise amid all this"),
]


def test_no_queues_are_made_for_delayed_messages() -> None:
    steps = set(celery.worker.consumer.Consumer.Blueprint.default_steps)

    assert {step.rpartition(":")[2] for step in steps - set(Consumer.Blueprint.default_steps)} == {
        "DelayedDelivery"
    }


class Clock:
    """The machine's clock, on which a pause takes no time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(consumer, "time", clock)
    return clock


@pytest.fixture
def times(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record when the worker connects; the broker answers with one error after another."""
    tries: list[float] = []

    def connect(*_: Any, **__: Any) -> None:
        tries.append(clock.now)
        raise TROUBLES[len(tries) - 1] if len(tries) <= len(TROUBLES) else WorkerShutdown(0)

    monkeypatch.setattr(Consumer, "connection_for_read", connect)
    return tries


@pytest.fixture
def worker() -> Iterator[Consumer]:
    app = celery.Celery(broker="memory://", set_as_current=False)
    app.conf.update(broker_channel_error_retry=True, worker_enable_remote_control=False)
    controller = SimpleNamespace(semaphore=None, use_eventloop=False)
    yield Consumer(
        print, app=app, controller=controller, pool=SimpleNamespace(flush=None, is_green=False)
    )
    app.close()


def run(worker: Consumer) -> None:
    with pytest.raises(WorkerShutdown):
        worker.start()


def test_no_trouble_ends_a_worker(worker: Consumer, times: list[float]) -> None:
    run(worker)

    assert len(times) == len(TROUBLES) + 1


def test_pauses_grow(worker: Consumer, times: list[float]) -> None:
    run(worker)

    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == [1, 2, 4, 8, 10, 10, 10, 10, 10]


def test_the_log_says_which_trouble_it_is(
    worker: Consumer, times: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    run(worker)

    for trouble in TROUBLES:
        assert f"{type(trouble).__name__}: {trouble}" in caplog.text


@pytest.mark.parametrize(("seconds", "pause"), [(0, 10), (consumer.GOOD_SECONDS + 1, 1)])
def test_pauses_begin_anew_after_a_connection_that_was_good(
    seconds: float,
    pause: float,
    worker: Consumer,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "connection_for_read", lambda **_: None)
    for _ in range(4):
        worker.note(TROUBLES[0])
    worker.connect()
    clock.now += seconds

    worker.note(TROUBLES[0])
    before = clock.now
    worker.connect()

    assert clock.now - before == pause


def test_a_worker_that_waits_can_be_stopped(
    worker: Consumer, clock: Clock, times: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise WorkerShutdown(0)

    worker.note(TROUBLES[0])
    monkeypatch.setattr(consumer, "maybe_shutdown", stop)

    with pytest.raises(WorkerShutdown):
        worker.connect()
    assert times == []


def test_a_connection_that_is_no_use_is_closed(
    worker: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []

    def refuse(*_: Any) -> None:
        raise redis.exceptions.ReadOnlyError("a replica")

    opened = SimpleNamespace(
        connection=None,
        transport=SimpleNamespace(register_with_event_loop=refuse),
        close=lambda: closed.append(True),
    )
    monkeypatch.setattr(worker, "connection_for_read", lambda **_: opened)
    monkeypatch.setattr(worker, "hub", "a loop")

    with pytest.raises(redis.exceptions.ReadOnlyError):
        worker.connect()
    assert closed == [True]


class Request:
    """A message that a process of the pool works on."""

    def __init__(self, told: list[tuple[str, int]], *, acks_late: bool = True) -> None:
        self.task = SimpleNamespace(
            acks_late=acks_late, on_cancelled=lambda *ended: told.append(ended)
        )
        self.id = "a message"
        self.worker_pid = 4711
        self.acknowledged = not acks_late
        self._already_cancelled = False

    def cancel(self, _pool: Any, *, emit_retry: bool = True) -> None:
        active_requests.discard(self)
        if emit_retry:
            raise OperationalError("the database is away")
        self._already_cancelled = True


@pytest.fixture
def told() -> Iterator[list[tuple[str, int]]]:
    """Record what tasks are told about processes that were ended."""
    yield []
    active_requests.clear()


def test_the_task_of_a_message_is_told_which_process_a_stop_has_ended(
    worker: Consumer, told: list[tuple[str, int]]
) -> None:
    active_requests.add(request := Request(told))

    worker.cancel_active_requests()

    assert request._already_cancelled
    assert told == [("a message", 4711)]


def test_the_task_of_a_message_is_told_which_process_a_lost_connection_has_ended(
    worker: Consumer, told: list[tuple[str, int]]
) -> None:
    active_requests.add(request := Request(told))

    worker.on_connection_error_after_connected(TROUBLES[0])

    assert request._already_cancelled
    assert told == [("a message", 4711)]


def test_what_does_not_come_again_goes_on_without_a_connection(
    worker: Consumer, told: list[tuple[str, int]]
) -> None:
    active_requests.add(request := Request(told, acks_late=False))

    worker.on_connection_error_after_connected(TROUBLES[0])

    assert not request._already_cancelled
    assert told == []


def test_this_consumer_is_the_one_that_runs() -> None:
    assert celery.current_app.conf.worker_consumer == f"{Consumer.__module__}:{Consumer.__name__}"
    assert celery.current_app.conf.broker_channel_error_retry
