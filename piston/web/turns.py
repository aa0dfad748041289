"""Which request gets a thread next, and when do too many wait for one?"""

from __future__ import annotations

from collections import deque

from piston.web.connections import Connection

LONGEST_QUEUE = 1_000  # requests that wait for a thread; a few seconds' work


class Turns:
    """The requests that wait for a thread or have one. For the worker's loop alone."""

    def __init__(self, threads: int) -> None:
        self.busy: set[Connection] = set()
        self._threads = threads
        self._waiting: deque[Connection] = deque()

    def add(self, connection: Connection, *, is_urgent: bool) -> bool:
        """Let a request wait for its turn; False if too many do."""
        if len(self._waiting) >= LONGEST_QUEUE and not is_urgent:
            return False
        connection.is_urgent = is_urgent
        if is_urgent:
            self._waiting.appendleft(connection)
        else:
            self._waiting.append(connection)
        return True

    def begin(self) -> Connection | None:
        """Return the request whose turn it is; None if there is none, or no thread for it."""
        if not self._waiting or len(self.busy) >= self._threads + self._waiting[0].is_urgent:
            return None
        connection = self._waiting.popleft()
        self.busy.add(connection)
        return connection

    def end(self, connection: Connection) -> None:
        """Take note that a request's thread is free again."""
        self.busy.discard(connection)
