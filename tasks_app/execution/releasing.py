"""How is a claim given back while the database is away? By a thread, as soon as it is there again.

Until somebody says otherwise, a claim that expired is a worker's death. The worker that lives is
the only one who can, and it has to, before others count: it may be idle from now on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from time import sleep

from django.db import Error, connection

from tasks_app.models import Segment

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5  # between two tries; each takes up to `connect_timeout` where nobody answers


class Returns:
    """What this process has yet to tell the database about its claims."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with nothing; a child process has none of its parent's claims or threads."""
        self._lock = Lock()
        self._left: list[Callable[[], object]] = []
        self._thread: Thread | None = None

    def add(self, give_back: Callable[[], object]) -> None:
        """Give a claim back, now if that is possible, else as soon as it is."""
        with suppress(Error):
            give_back()
            return
        connection.close()
        self.add_for_later(give_back)

    def add_for_later(self, give_back: Callable[[], object]) -> None:
        """Give a claim back soon, from another thread."""
        with self._lock:
            self._left.append(give_back)
            if self._thread is None:
                self._thread = Thread(target=self._work, name="returned-claims", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Give back what is left; raises the database's error while it is away."""
        with self._lock:
            while self._left:
                try:
                    self._left[0]()
                except Error:
                    raise
                except Exception:
                    logger.exception("A claim cannot be given back, and has to expire")
                del self._left[0]

    def _work(self) -> None:
        while True:
            sleep(PAUSE_SECONDS)
            try:
                self.finish()
            except Error as error:
                logger.debug("Claims cannot be given back yet: %s", error)
            finally:
                connection.close()  # this thread's own
            with self._lock:
                if not self._left:
                    self._thread = None
                    return


def hand_back(segment: Segment) -> None:
    """Give a segment back after trouble with the database or the storage, as soon as possible.

    Until then its claim counts as a worker's death.
    """
    connection.close()
    returns.add(segment.give_back)


returns = Returns()
os.register_at_fork(after_in_child=returns.reset)
