"""Which request gets a thread next, and when do too many wait for one?"""

from __future__ import annotations

from collections import deque

from piston.web.connections import Connection

MAX_QUEUE_LENGTH = 1_000  # requests that wait for a thread; a few seconds' work


class Turns:
    """The requests that wait for a thread or have one. For the worker's loop alone.

    One urgent request at a time goes before all others, to a thread that nobody else gets. More
    of them wait like anyone: a flood of what is urgent must not keep all others waiting.
    """

    def __init__(self, threads: int) -> None:
        self.busy: set[Connection] = set()
        self._threads = threads  # without the one for what is urgent
        self._waiting: deque[Connection] = deque()
        self._urgent: Connection | None = None  # from when it comes until its thread is free again

    def add(self, connection: Connection, *, is_urgent: bool) -> bool:
        """Let a request wait for its turn; False if too many do."""
        if is_urgent and self._urgent is None:
            self._urgent = connection
            self._waiting.appendleft(connection)
            return True
        if len(self._waiting) >= MAX_QUEUE_LENGTH:
            return False
        self._waiting.append(connection)
        return True

    def begin(self) -> Connection | None:
        """Return the request whose turn it is; None if there is none, or no thread for it."""
        if not self._waiting or not self._has_thread_for(self._waiting[0]):
            return None
        connection = self._waiting.popleft()
        self.busy.add(connection)
        return connection

    def end(self, connection: Connection) -> None:
        """Take note that a request's thread is free again."""
        self.busy.discard(connection)
        if connection is self._urgent:
            self._urgent = None

    def _has_thread_for(self, connection: Connection) -> bool:
        ordinary_count = len(self.busy) - (self._urgent in self.busy)
        return connection is self._urgent or ordinary_count < self._threads
