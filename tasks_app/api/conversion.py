"""Converts an input of another kind to CSV in a separate process.

A hostile input may keep a processor busy for minutes. In a thread it would hold the interpreter's
lock and block all other requests.
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

MAX_AT_ONCE = 4  # converters per web process, at most one of each tree of accounts
MAX_WAITING = 8  # requests of one tree
MAX_WAIT_SECONDS = 60.0  # for a slot
MAX_SECONDS = 300.0  # of a converter, until its last byte is stored
CHECK_SECONDS = 1.0  # between two checks that the client is still there


@dataclass(eq=False)
class _Waiting:
    tree: str


class ConversionQueue:
    """A fair queue for converters: one slot per tree of accounts, `count` slots in all.

    A tree is a top-level account with all accounts below it. A tree that got a slot moves behind
    the others, so a new request waits for at most one conversion of each other tree.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._running: set[str] = set()
        self._waiting: list[_Waiting] = []
        self._changed = Condition()

    @contextmanager
    def slot(self, tree: str, check_client: Callable[[], None]) -> Iterator[None]:
        """Hold a slot; wait for it first, calling `check_client` every second, which may raise.

        Raises NoFreeSlot if too many requests of the tree wait, or if the wait takes too long.
        """
        with self._changed:
            self._wait(tree, check_client)
            self._running.add(tree)
        try:
            yield
        finally:
            with self._changed:
                self._running.remove(tree)
                self._changed.notify_all()

    def _wait(self, tree: str, check_client: Callable[[], None]) -> None:
        if [each.tree for each in self._waiting].count(tree) >= MAX_WAITING:
            raise NoFreeSlot(is_own_fault=True)
        waiting = _Waiting(tree)
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        self._waiting.append(waiting)
        try:
            while self._first_in_turn() is not waiting:
                check_client()
                if time.monotonic() > deadline:
                    raise NoFreeSlot(is_own_fault=tree in self._running)
                self._changed.wait(CHECK_SECONDS)
        finally:
            self._waiting.remove(waiting)
            self._changed.notify_all()
        self._waiting.sort(key=lambda each: each.tree == tree)

    def _first_in_turn(self) -> _Waiting | None:
        if len(self._running) >= self._count:
            return None
        return next((each for each in self._waiting if each.tree not in self._running), None)


conversion_queue = ConversionQueue(MAX_AT_ONCE)


class Conversion:
    """The CSV that a converter makes of a file; `head` holds what it reports beside the rows.

    `program` is a module that calls `converting.serve`. `check_client` is called for every block,
    and every second while waiting for one; it may raise. Raises the converter's refusal, and
    ConverterDied.
    """

    def __init__(
        self,
        program: str,
        source: IO[bytes],
        rules: dict[str, Any],
        check_client: Callable[[], None],
    ) -> None:
        self._check_client = check_client
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
        """Read the head."""
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
        """Return the next block of the CSV, b"" only when the CSV is complete."""
        size = converting.BLOCK_BYTES if size < 0 else size
        block, self._early = self._early[:size], self._early[size:]
        return block or self._read_block(size)

    def close(self) -> None:
        """Kill the process."""
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
            self._check_client()
            if time.monotonic() > self._deadline:
                raise ConverterDied(f"A converter took more than {MAX_SECONDS:.0f} s.")
            is_ready = bool(poll.poll(1000 * CHECK_SECONDS))
        block = os.read(descriptor, size)
        if not block and self._process.wait() != 0:
            self._died()
        return block

    def _died(self) -> bytes:
        """Raise the error that the process's exit code stands for."""
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            limit = converting.MAX_PROCESSOR_SECONDS
            raise CSVFormatError(f"it takes a processor more than the limit of {limit} seconds")
        if code < 0:
            raise ConverterDied(f"A converter was ended by signal {-code}.")
        raise RuntimeError(f"a converter ended with exit code {code}; the log has its trace")
