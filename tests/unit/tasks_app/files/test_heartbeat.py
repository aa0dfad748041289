"""Does one thread give everybody's signs of life, whatever becomes of single ones?"""

import threading

import pytest

from tasks_app.files import heartbeat
from tasks_app.files.heartbeat import Heart

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)


def test_one_that_fails_does_not_stop_the_others() -> None:
    heart, is_alive = Heart(), threading.Event()

    def fail() -> None:
        is_alive.clear()
        raise ZeroDivisionError

    with heart.repeating(fail), heart.repeating(is_alive.set):
        assert is_alive.wait(30)
        is_alive.clear()
        assert is_alive.wait(30)


def test_none_is_given_after_the_end_and_the_thread_ends_with_the_last() -> None:
    heart, is_given, may_end = Heart(), threading.Event(), threading.Event()
    given: list[str] = []

    def give_slowly() -> None:
        is_given.set()
        may_end.wait(30)
        given.append("a sign")

    with heart.repeating(give_slowly):
        assert is_given.wait(30)
        thread = heart.thread
        threading.Timer(0.05, may_end.set).start()
    at_the_end = list(given)

    assert thread is not None
    thread.join(30)
    assert not thread.is_alive()
    assert given == at_the_end == ["a sign"]


def test_it_begins_again_after_a_rest() -> None:
    heart = Heart()
    for _ in range(3):
        is_alive = threading.Event()
        with heart.repeating(is_alive.set):
            assert is_alive.wait(30)
