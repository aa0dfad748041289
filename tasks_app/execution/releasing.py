"""How is a claim given back while the database is away? By a thread, as soon as it is there again.

Until somebody says otherwise, a claim that expired is a worker's death. The worker that lives is
the only one who can, and it has to, before others count: it may be idle from now on.
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

PAUSE_SECONDS = 0.5  # between two tries; each takes up to `connect_timeout` where nobody answers
LOCKED_PAUSE_SECONDS = 2.0  # the same where all that is left is locked: each costs 250 ms
EXIT_SECONDS = 3.0  # for what is left when the process ends, at a stop


class PendingReleases:
    """What this process has yet to tell the database about its claims."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with nothing; a child process has none of its parent's claims or threads."""
        # of the thread and what is left: nobody waits for the database under it. A signal, at a
        # stop, may come amid an `add_for_later` and want the same
        self._lock = RLock()
        self._working = Lock()  # of whoever gives back: one after the other, in order
        self._left: list[Callable[[], object]] = []
        self._locked: list[Callable[[], object]] = []  # met a lock; the thread's alone
        self._thread: Thread | None = None

    def add(self, release: Callable[[], object]) -> None:
        """Give a claim back, now if that is possible, else as soon as it is."""
        with suppress(Error):
            release()
            return
        connection.close()
        self.add_for_later(release)

    def add_for_later(self, release: Callable[[], object]) -> None:
        """Give a claim back soon, from another thread."""
        with self._lock:
            self._left.append(release)
            if self._thread is None:
                self._thread = Thread(target=self._work, name="returned-claims", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Give back what is left; raises the database's error while it is away.

        What somebody else has locked is left to the thread: nothing else waits for it.
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
                    logger.exception("A claim cannot be given back, and has to expire")
                del self._left[0]  # others only append

    def wait(self) -> None:
        """Wait for a moment until all is given back: the thread ends with its process."""
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
                logger.debug("Claims cannot be given back yet: %s", error)
            finally:
                connection.close()  # this thread's own
            with self._lock:
                if not self._left and not self._locked:
                    self._thread = None
                    return


def release_after_trouble(segment: Segment) -> None:
    """Give a segment back after trouble with the database or the storage, as soon as possible.

    Until then its claim counts as a worker's death.
    """
    connection.close()
    pending_releases.add(segment.release_or_uncount)


pending_releases = PendingReleases()
os.register_at_fork(after_in_child=pending_releases.reset)
atexit.register(pending_releases.wait)
