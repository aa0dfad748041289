"""Tests that one thread sends all heartbeats, even when one of them fails or blocks."""

import threading

import pytest

from tasks_app.files.heartbeat import Heartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks_app.files.heartbeat.BEAT_SECONDS", 0.01)


def test_one_that_fails_does_not_stop_the_others() -> None:
    heartbeat, is_alive = Heartbeat(), threading.Event()

    def fail() -> None:
        is_alive.clear()
        raise ZeroDivisionError

    with heartbeat.repeating(fail), heartbeat.repeating(is_alive.set):
        assert is_alive.wait(30)
        is_alive.clear()
        assert is_alive.wait(30)


def test_none_is_sent_after_the_end_and_the_thread_ends_with_the_last() -> None:
    heartbeat, is_sent, may_end = Heartbeat(), threading.Event(), threading.Event()
    sent: list[str] = []

    def beat_slowly() -> None:
        is_sent.set()
        may_end.wait(30)
        sent.append("a heartbeat")

    with heartbeat.repeating(beat_slowly):
        assert is_sent.wait(30)
        thread = heartbeat.thread
        threading.Timer(0.05, may_end.set).start()
    at_the_end = list(sent)

    assert thread is not None
    thread.join(30)
    assert not thread.is_alive()
    assert sent == at_the_end == ["a heartbeat"]


def test_it_starts_again_after_it_was_idle() -> None:
    heartbeat = Heartbeat()
    for _ in range(3):
        is_alive = threading.Event()
        with heartbeat.repeating(is_alive.set):
            assert is_alive.wait(30)
