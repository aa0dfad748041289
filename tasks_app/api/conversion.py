"""How does an input of another kind become CSV? In a process of its own, which this one reads.

What a client sends may keep a processor busy for minutes. In a thread, that holds Python's
interpreter, and with it everybody else's requests.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition
from typing import IO, Any, Self

from django.conf import settings

from piston import disk_reserve
from piston.http.transfers import NoFreeSlot
from tasks_app.csv_files import converting
from tasks_app.errors import ConverterDied, CSVFormatError

MAX_AT_ONCE = 4  # per web process, of each tree of accounts one; others wait for their turn
MAX_WAITING = 8  # of one tree
MAX_WAIT_SECONDS = 60.0  # for a turn
MAX_SECONDS = 300.0  # of a converter, until its last byte is stored
LOOK_SECONDS = 1.0  # between two looks whether somebody still wants it


@dataclass(eq=False)
class _Waiting:
    tree: str


class Turns:
    """Whose converter may run: of each tree one, of all together so many.

    A tree is a top-level account with everything below. A tree that got a turn goes behind the
    others, so whoever comes waits for one turn of each of them at most.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._running: set[str] = set()
        self._waiting: list[_Waiting] = []
        self._changed = Condition()

    @contextmanager
    def taken(self, tree: str, look: Callable[[], None]) -> Iterator[None]:
        """Wait for this tree's turn; `look` is called now and then, and may raise.

        Raises NoFreeSlot when too many of the tree wait, or when it takes too long.
        """
        with self._changed:
            self._wait(tree, look)
            self._running.add(tree)
        try:
            yield
        finally:
            with self._changed:
                self._running.remove(tree)
                self._changed.notify_all()

    def _wait(self, tree: str, look: Callable[[], None]) -> None:
        if [each.tree for each in self._waiting].count(tree) >= MAX_WAITING:
            raise NoFreeSlot(is_own_fault=True)
        this = _Waiting(tree)
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        self._waiting.append(this)
        try:
            while self._next() is not this:
                look()
                if time.monotonic() > deadline:
                    raise NoFreeSlot(is_own_fault=tree in self._running)
                self._changed.wait(LOOK_SECONDS)
        finally:
            self._waiting.remove(this)
            self._changed.notify_all()
        self._waiting.sort(key=lambda each: each.tree == tree)

    def _next(self) -> _Waiting | None:
        if len(self._running) >= self._count:
            return None
        return next((each for each in self._waiting if each.tree not in self._running), None)


turns = Turns(MAX_AT_ONCE)


class Conversion:
    """The CSV that a program of ours makes of a file; `head` is what it says beside the rows.

    `program` is a module that calls `converting.serve`. `look` is called with every block, and now
    and then while one is waited for; it may raise. Raises what the program refuses, and
    ConverterDied.
    """

    def __init__(
        self, program: str, source: IO[bytes], rules: dict[str, Any], look: Callable[[], None]
    ) -> None:
        self._look = look
        self._deadline = time.monotonic() + MAX_SECONDS
        place = [str(settings.PISTON_DATA_DIR), str(disk_reserve.least_free_bytes())]
        arguments = [str(os.getpid()), *place, json.dumps(rules)]
        self._process = subprocess.Popen(  # noqa: S603 - all words are ours
            [sys.executable, "-E", "-s", "-m", program, *arguments],
            cwd=settings.BASE_DIR,
            env={},  # it needs no secrets
            stdin=source,
            stdout=subprocess.PIPE,
        )
        self.head: dict[str, Any] = {}
        self._early = b""

    def __enter__(self) -> Self:
        """Wait for the head."""
        try:
            while b"\n" not in self._early:
                self._early += self._read_block(converting.BLOCK_BYTES) or self._died()
            head, _, self._early = self._early.partition(b"\n")
            self.head = json.loads(head)
            converting.check(self.head)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def read(self, size: int = -1, /) -> bytes:
        """Return the next block of the CSV; b"" only when it is complete."""
        size = converting.BLOCK_BYTES if size < 0 else size
        block, self._early = self._early[:size], self._early[size:]
        return block or self._read_block(size)

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _read_block(self, size: int) -> bytes:
        assert self._process.stdout  # noqa: S101 - it is a pipe
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        is_ready = False
        while not is_ready:
            self._look()
            if time.monotonic() > self._deadline:
                raise ConverterDied(f"A converter took more than {MAX_SECONDS:.0f} s.")
            is_ready = bool(poll.poll(1000 * LOOK_SECONDS))
        block = os.read(descriptor, size)
        if not block and self._process.wait() != 0:
            self._died()
        return block

    def _died(self) -> bytes:
        """Raise what the end of the process means."""
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            limit = converting.MAX_PROCESSOR_SECONDS
            raise CSVFormatError(f"it takes a processor more than the limit of {limit} seconds")
        if code < 0:
            raise ConverterDied(f"A converter was ended by signal {-code}.")
        raise RuntimeError(f"a converter ended with exit code {code}; the log has its trace")
