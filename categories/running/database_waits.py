"""Whose time is it while a row waits for the database? Its own only if its statement is at work.

A lock that somebody else holds, a server that stands still, a network that swallows the answer:
the row has to wait, and is not to blame.
"""

from __future__ import annotations

from contextlib import closing

from django.conf import settings
from django.db import OperationalError, connection

CANCEL = """
    SELECT wait_event_type IS DISTINCT FROM 'Lock', pg_cancel_backend(pid) FROM pg_stat_activity
    WHERE application_name = %s AND pid <> pg_backend_pid() AND state = 'active'
"""


def allow_time(row_seconds: float, claim_seconds: float) -> None:
    """Let the transaction last as long as the claim, where an action's rows need longer.

    Half of a row's time may go into waiting for one lock.
    """
    if connection.vendor == "postgresql" and claim_seconds > settings.PISTON_CLAIM_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, true),"
                " set_config('lock_timeout', %s, true)",
                [str(int(claim_seconds * 1000)), str(int(row_seconds * 500))],
            )


def is_asked() -> bool:
    """Say whether this thread has asked PostgreSQL something and has no answer yet."""
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    return bool(connection.connection.info.transaction_status.name == "ACTIVE")


def cancel_statement() -> bool:
    """Cancel the statement that this thread waits for; say whether it was at work, not in a queue.

    Asked on a new connection; raises OperationalError without a database.
    """
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute(CANCEL, [connection.get_connection_params()["application_name"]])
        return any(was_at_work for was_at_work, _ in cursor.fetchall())


def blame_the_wait(error: Exception) -> None:
    """Raise OperationalError if who ran out of time was kept waiting by the database."""
    if not cancel_statement():
        raise OperationalError(f"the database kept a row waiting until it {error}") from error
