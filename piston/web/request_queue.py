"""Decides which request gets a thread next, and when too many wait for one."""

from __future__ import annotations

from collections import deque

from piston.web.connections import Connection

MAX_QUEUE_LENGTH = 1_000  # requests that wait for a thread; a few seconds' work


class RequestQueue:
    """The requests that wait for a thread or have one. Only the worker's loop uses it.

    One urgent request at a time goes ahead of all others, to a thread reserved for it. Further
    urgent ones wait like any request. Otherwise a flood of them would hold up everything else.
    """

    def __init__(self, threads: int) -> None:
        self.busy: set[Connection] = set()
        self._threads = threads  # without the one reserved for urgent requests
        self._waiting: deque[Connection] = deque()
        self._urgent: Connection | None = None  # from its arrival until its thread is free again

    def add(self, connection: Connection, *, is_urgent: bool) -> bool:
        """Queue a request; return False if the queue is full."""
        if is_urgent and self._urgent is None:
            self._urgent = connection
            self._waiting.appendleft(connection)
            return True
        if len(self._waiting) >= MAX_QUEUE_LENGTH:
            return False
        self._waiting.append(connection)
        return True

    def start_next(self) -> Connection | None:
        """Return the next request, or None if none waits or no thread is free for it."""
        if not self._waiting or not self._has_thread_for(self._waiting[0]):
            return None
        connection = self._waiting.popleft()
        self.busy.add(connection)
        return connection

    def finish(self, connection: Connection) -> None:
        """Record that the thread of a request is free again."""
        self.busy.discard(connection)
        if connection is self._urgent:
            self._urgent = None

    def _has_thread_for(self, connection: Connection) -> bool:
        ordinary_count = len(self.busy) - (self._urgent in self.busy)
        return connection is self._urgent or ordinary_count < self._threads
