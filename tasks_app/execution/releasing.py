"""Releases claims after an outage of the database, from a thread.

An expired claim counts as a worker's death until its worker reports otherwise. A living worker
must report before other workers count. It cannot leave that to its next slice, because it may be
idle from now on.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, RLock, Thread
from time import sleep

from django.db import Error, connection

from piston.database import locks
from tasks_app.models import Segment

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5  # between two attempts; each takes up to `connect_timeout` if no server answers
LOCKED_PAUSE_SECONDS = 2.0  # the same when only locked claims are left: each attempt costs 250 ms
EXIT_SECONDS = 3.0  # for the remaining claims when the process shuts down


class PendingReleases:
    """The claims of this process that it has yet to release in the database."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start empty: a child process has none of its parent's claims or threads."""
        # Guards `_thread` and `_left`; no query runs under it. Reentrant, because a signal at
        # shutdown may interrupt `add_for_later` and call it again.
        self._lock = RLock()
        self._working = Lock()  # held while releasing: one thread at a time, in order
        self._left: list[Callable[[], object]] = []
        self._locked: list[
            Callable[[], object]
        ] = []  # met a lock; only the thread tries them again
        self._thread: Thread | None = None

    def add(self, release: Callable[[], object]) -> None:
        """Release a claim now if possible, otherwise as soon as the database answers."""
        with suppress(Error):
            release()
            return
        connection.close()
        self.add_for_later(release)

    def add_for_later(self, release: Callable[[], object]) -> None:
        """Release a claim soon, from another thread."""
        with self._lock:
            self._left.append(release)
            if self._thread is None:
                self._thread = Thread(target=self._work, name="returned-claims", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Release the remaining claims; raises the database's error while it is away.

        Claims that are locked are left to the thread, so that nothing else waits for them.
        """
        with self._working:
            while self._left:
                release = self._left[0]
                try:
                    release()
                except Error as error:
                    if not locks.is_locked(error):
                        raise
                    self._locked.append(release)
                except Exception:
                    logger.exception("A claim cannot be released and has to expire")
                del self._left[0]  # others only append

    def wait(self) -> None:
        """Wait up to EXIT_SECONDS for all releases: the thread ends with its process."""
        if (thread := self._thread) is not None:
            thread.join(EXIT_SECONDS)

    def _work(self) -> None:
        while True:
            sleep(PAUSE_SECONDS if self._left else LOCKED_PAUSE_SECONDS)
            with self._working:
                self._left.extend(self._locked)
                self._locked.clear()
            try:
                self.finish()
            except Error as error:
                logger.debug("Claims cannot be released yet: %s", error)
            finally:
                connection.close()  # this thread's own
            with self._lock:
                if not self._left and not self._locked:
                    self._thread = None
                    return


def release_after_trouble(segment: Segment) -> None:
    """Release a segment after an error of the database or the storage, as soon as possible.

    Until then its claim counts as a worker's death.
    """
    connection.close()
    pending_releases.add(segment.release_or_uncount)


pending_releases = PendingReleases()
os.register_at_fork(after_in_child=pending_releases.reset)
atexit.register(pending_releases.wait)
