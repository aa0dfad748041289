"""Leaves SQLite's only write lock to others between two batches: people start and stop tasks."""

from __future__ import annotations

import time
from time import monotonic

from django.db import connection

LOCK_FREE_SHARE = 0.25  # of a batch's time, in which the lock is left to others afterwards
MAX_SECONDS = 0.25


class LockPause:
    """The pause between two batches of this process. Work that needs no lock goes on meanwhile."""

    def __init__(self) -> None:
        self._over_at = 0.0

    def begin(self, batch_seconds: float) -> None:
        """Leave the lock to others from now on, after a batch that took `batch_seconds`."""
        if connection.vendor == "sqlite":
            self._over_at = monotonic() + min(batch_seconds * LOCK_FREE_SHARE, MAX_SECONDS)

    def wait(self) -> None:
        """Return when the pause is over. PostgreSQL needs none: its writers do not wait."""
        if (left := self._over_at - monotonic()) > 0:
            time.sleep(left)


lock_pause = LockPause()
