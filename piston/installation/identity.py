"""What is this installation's id? The database says it, once to each process."""

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
    """Return this installation's id, which whoever asks first makes.

    Raises an error of the database while that is away or has to be migrated. A thread that had no
    connection has none afterwards: threads that send messages need no other.
    """
    from piston.installation.models import Installation  # needs Django's apps: not while loading

    was_connected = connection.connection is not None
    try:
        row, _ = Installation.objects.get_or_create(pk=1)
    finally:
        if not was_connected:
            connection.close()
    return row.key


def wait_until_known(**_: Any) -> None:
    """Wait for the database to say the id: a worker and beat begin with it."""
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
