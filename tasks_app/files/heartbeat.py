"""How do the files that a process is storing stay alive? One thread, one connection for all.

Each has a sign of life given every so many seconds, however long its own thread is kept waiting.
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

BEAT_SECONDS = settings.PISTON_CLAIM_SECONDS / 4  # between two signs of life


class Heart:
    """Repeats what it was given until that is over; its thread lives as long as there is any."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin without anything; a child process has none of its parent's threads."""
        self.changed = Condition()
        self.signs: dict[object, Callable[[], object]] = {}
        self.in_hand: object = None
        self.thread: Thread | None = None

    @contextmanager
    def repeating(self, sign: Callable[[], object]) -> Iterator[None]:
        """Call `sign` every BEAT_SECONDS from another thread; never again after this."""
        key = object()
        with self.changed:
            self.signs[key] = sign
            if self.thread is None:
                self.thread = Thread(target=self._beat, name="signs-of-life", daemon=True)
                self.thread.start()
        try:
            yield
        finally:
            with self.changed:
                del self.signs[key]
                self.changed.notify_all()
                self.changed.wait_for(lambda: self.in_hand is not key)

    def _beat(self) -> None:
        while True:
            with self.changed:
                if self.changed.wait_for(lambda: not self.signs, BEAT_SECONDS):
                    self.thread = None
                    return
                keys = list(self.signs)
            for key in keys:
                self._give(key)
            connection.close()  # this thread's own

    def _give(self, key: object) -> None:
        with self.changed:
            sign = self.signs.get(key)
            if sign is None:
                return
            self.in_hand = key
        try:
            sign()
        except DatabaseError:
            logger.warning("A sign of life was not possible", exc_info=True)
            connection.close()  # the next one has a new connection
        except Exception:
            logger.exception("A sign of life failed; those of others go on")
        finally:
            with self.changed:
                self.in_hand = None
                self.changed.notify_all()


heart = Heart()
os.register_at_fork(after_in_child=heart.reset)
