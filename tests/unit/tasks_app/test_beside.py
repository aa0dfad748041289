"""Is every block worked on, in order, while the caller gets the next one?"""

from __future__ import annotations

from threading import Event, current_thread

import pytest

from tasks_app.beside import SHORTEST_BLOCK, Beside

PATIENCE_SECONDS = 30
BLOCK = bytes(SHORTEST_BLOCK)


def test_the_caller_does_not_wait_for_a_long_block() -> None:
    may_end = Event()
    beside = Beside(lambda _: may_end.wait(PATIENCE_SECONDS))

    beside.take(BLOCK)

    may_end.set()  # not reached before, if it waited
    beside.wait()


def test_blocks_are_worked_on_one_after_the_other() -> None:
    seen: list[bytes] = []
    blocks = [BLOCK + bytes([number]) for number in range(20)] + [b"short"]
    beside = Beside(seen.append)

    for block in blocks:
        beside.take(block)
    beside.wait()

    assert seen == blocks


def test_a_short_block_is_worked_on_at_once_by_the_caller() -> None:
    threads: list[str] = []
    beside = Beside(lambda _: threads.append(current_thread().name))

    beside.take(b"short")

    assert threads == [current_thread().name]


def test_what_a_block_raises_is_raised_before_the_next_one_is_worked_on() -> None:
    seen: list[bytes] = []

    def refuse(block: bytes) -> None:
        seen.append(block)
        raise ValueError("no good")

    beside = Beside(refuse)
    beside.take(BLOCK)

    with pytest.raises(ValueError, match="no good"):
        beside.take(BLOCK + b"next")

    assert seen == [BLOCK]


def test_what_the_last_block_raises_is_raised_by_waiting() -> None:
    beside = Beside(lambda _: 1 // 0)
    beside.take(BLOCK)

    with pytest.raises(ZeroDivisionError):
        beside.wait()
