"""Frees SQLite's only write lock between two batches, so that people can start and stop tasks."""

from __future__ import annotations

import time
from time import monotonic

from django.db import connection

LOCK_FREE_SHARE = 0.25  # of a batch's time: the pause after it
MAX_SECONDS = 0.25  # of a pause


class LockPause:
    """The pause between two batches of this process; work that needs no lock continues in it."""

    def __init__(self) -> None:
        self._over_at = 0.0

    def begin(self, batch_seconds: float) -> None:
        """Begin the pause after a batch that took `batch_seconds`."""
        if connection.vendor == "sqlite":
            self._over_at = monotonic() + min(batch_seconds * LOCK_FREE_SHARE, MAX_SECONDS)

    def wait(self) -> None:
        """Wait for the end of the pause. PostgreSQL needs none: its writers do not wait."""
        if (left := self._over_at - monotonic()) > 0:
            time.sleep(left)


lock_pause = LockPause()
