"""Renews the reservations of all files that this process is storing, from one thread.

Each file gets a heartbeat at a fixed interval, however long its own thread is blocked. The thread
uses one database connection for all of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

logger = logging.getLogger(__name__)

BEAT_SECONDS = settings.PISTON_CLAIM_SECONDS / 4  # between two heartbeats


class Heartbeat:
    """Calls functions repeatedly; its thread runs while there is at least one."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start with no functions; a forked child has none of its parent's threads."""
        self.changed = Condition()
        self.beats: dict[object, Callable[[], object]] = {}
        self.running_key: object = None
        self.thread: Thread | None = None

    @contextmanager
    def repeating(self, beat: Callable[[], object]) -> Iterator[None]:
        """Call `beat` every BEAT_SECONDS from another thread; never after this block ends."""
        key = object()
        with self.changed:
            self.beats[key] = beat
            if self.thread is None:
                self.thread = Thread(target=self._run, name="heartbeat", daemon=True)
                self.thread.start()
        try:
            yield
        finally:
            with self.changed:
                del self.beats[key]
                self.changed.notify_all()
                self.changed.wait_for(lambda: self.running_key is not key)

    def _run(self) -> None:
        while True:
            with self.changed:
                if self.changed.wait_for(lambda: not self.beats, BEAT_SECONDS):
                    self.thread = None
                    return
                keys = list(self.beats)
            for key in keys:
                self._call(key)
            connection.close()  # this thread's own

    def _call(self, key: object) -> None:
        with self.changed:
            beat = self.beats.get(key)
            if beat is None:
                return
            self.running_key = key
        try:
            beat()
        except DatabaseError:
            logger.warning("A heartbeat could not reach the database", exc_info=True)
            connection.close()  # the next heartbeat opens a new connection
        except Exception:
            logger.exception("A heartbeat failed; the others continue")
        finally:
            with self.changed:
                self.running_key = None
                self.changed.notify_all()


heartbeat = Heartbeat()
os.register_at_fork(after_in_child=heartbeat.reset)
