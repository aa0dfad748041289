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
from threading import Condition
from typing import IO, Any, Self

from django.conf import settings

from tasks_app.csv_files import converting
from tasks_app.errors import ConverterDied, CSVFormatError

MOST_AT_ONCE = 2  # per web process, and one of an account; others wait for their turn
LOOK_SECONDS = 1.0  # between two looks whether the server is about to stop
SILENT_SECONDS = 900.0  # after which nothing more is expected of a converter


class Turns:
    """Whose converter may run: of each client one, of all together so many."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._running: set[str] = set()
        self._changed = Condition()

    @contextmanager
    def taken(self, client: str, look: Callable[[], None]) -> Iterator[None]:
        """Wait for this client's turn; `look` is called now and then, and may raise."""
        with self._changed:
            while client in self._running or len(self._running) >= self._count:
                look()
                self._changed.wait(LOOK_SECONDS)
            self._running.add(client)
        try:
            yield
        finally:
            with self._changed:
                self._running.remove(client)
                self._changed.notify_all()


turns = Turns(MOST_AT_ONCE)


class Conversion:
    """The CSV that a program of ours makes of a file; `head` is what it says beside the rows.

    `program` is a module that calls `converting.serve`. `look` is called now and then while its
    output is waited for, and may raise. Raises what the program refuses, and ConverterDied.
    """

    def __init__(
        self, program: str, source: IO[bytes], rules: dict[str, Any], look: Callable[[], None]
    ) -> None:
        self._look = look
        arguments = [str(os.getpid()), str(settings.PISTON_DATA_DIR), json.dumps(rules)]
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
        deadline = time.monotonic() + SILENT_SECONDS
        while not poll.poll(1000 * LOOK_SECONDS):
            self._look()
            if time.monotonic() > deadline:
                raise ConverterDied(f"A converter said nothing for {SILENT_SECONDS:.0f} s.")
        block = os.read(descriptor, size)
        if not block and self._process.wait() != 0:
            self._died()
        return block

    def _died(self) -> bytes:
        """Raise what the end of the process means."""
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            limit = converting.MOST_PROCESSOR_SECONDS
            raise CSVFormatError(f"it takes a processor more than the limit of {limit} seconds")
        if code < 0:
            raise ConverterDied(f"A converter was ended by signal {-code}.")
        raise RuntimeError(f"a converter ended with exit code {code}; the log has its trace")
