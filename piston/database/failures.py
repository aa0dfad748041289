"""Logs why the database kept something from being done."""

from __future__ import annotations

import logging

from django.db import Error

from piston.database import database_errors
from piston.database.schema import schema

logger = logging.getLogger(__name__)

READ_ONLY = (
    "The database takes no writes. Let DATABASE_URL lead to the primary, or let that be written to;"
    " this process then goes on by itself."
)


def log_failure(what: str, error: Exception) -> None:
    """Log why something has to wait: a warning, or an error if a statement of ours failed.

    After such an error, the schema is checked again before this process takes more work.
    """
    cause = error.__cause__ if isinstance(error.__cause__, Error) else error
    if not isinstance(cause, Error) or database_errors.is_away(cause):
        logger.warning("%s: %s", what, error)
        return
    if database_errors.is_read_only(cause):
        logger.error("%s: %s (%s)", what, READ_ONLY, database_errors.describe(cause))
        return
    schema.look_again()
    logger.error(
        "%s: the database refuses a statement of Piston Tasks itself (%s). Does its schema fit"
        " (`manage.py migrate --check`), and may its user read and write all tables?",
        what,
        database_errors.describe(cause),
    )
