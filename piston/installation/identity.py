"""Reads this installation's id from the database, once in each process."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import Any

from django.db import Error, connection

from piston.backoff import backoff_seconds

logger = logging.getLogger(__name__)


@cache
def identify() -> str:
    """Return this installation's id; the first call creates it.

    Raises a database error while the database is away or not migrated. A thread that had no
    connection has none afterwards, since threads that only send messages need none.
    """
    from piston.installation.models import Installation  # needs Django's apps, which load later

    was_connected = connection.connection is not None
    try:
        row, _ = Installation.objects.get_or_create(pk=1)
    finally:
        if not was_connected:
            connection.close()
    return row.key


def wait_until_known(**_: Any) -> None:
    """Wait until the database has the id, which a worker and beat need at their start."""
    for seconds in backoff_seconds():
        try:
            identify()
        except Error as error:
            logger.warning(
                "The database does not say which installation this is (is it there, and migrated?);"
                " trying again in %.0f s: %s",
                seconds,
                str(error).strip(),
            )
            time.sleep(seconds)
        else:
            return
