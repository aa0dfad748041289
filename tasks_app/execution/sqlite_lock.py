"""When may the next batch take SQLite's only lock? Others, who start or stop tasks, need it too."""

from __future__ import annotations

import time
from time import monotonic

from django.db import connection

SHARE = 0.25  # of a batch's time: for so long the lock is left to others afterwards
MAX_SECONDS = 0.25


class Rest:
    """The time between two batches of this process; what needs no lock can be done meanwhile."""

    def __init__(self) -> None:
        self._over_at = 0.0

    def begin(self, batch_seconds: float) -> None:
        """Leave the lock to others from now on, after a batch of so many seconds."""
        if connection.vendor == "sqlite":
            self._over_at = monotonic() + min(batch_seconds * SHARE, MAX_SECONDS)

    def wait(self) -> None:
        """Return when it is over; on PostgreSQL at once: writers do not wait for each other."""
        if (left := self._over_at - monotonic()) > 0:
            time.sleep(left)


rest = Rest()
