"""Decides whether a row that timed out was waiting for the database through no fault of its own.

A row is not to blame if it waits for another session's lock, for a stalled server, or for an
answer that the network lost. It is to blame only if its own statement is running.
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
    """Let the transaction last as long as the claim, for actions with long row time-outs.

    A single wait for a lock may take half of a row's time.
    """
    if connection.vendor == "postgresql" and claim_seconds > settings.PISTON_CLAIM_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, true),"
                " set_config('lock_timeout', %s, true)",
                [str(int(claim_seconds * 1000)), str(int(row_seconds * 500))],
            )


def is_querying() -> bool:
    """Say whether a query of this thread to PostgreSQL is still unanswered."""
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    return bool(connection.connection.info.transaction_status.name == "ACTIVE")


def cancel_statement() -> bool:
    """Cancel this thread's statement; say whether it was running, not waiting for a lock.

    Uses a new connection; raises OperationalError if the database is away.
    """
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute(CANCEL, [connection.get_connection_params()["application_name"]])
        return any(was_at_work for was_at_work, _ in cursor.fetchall())


def raise_if_kept_waiting(error: Exception) -> None:
    """Raise OperationalError if the row timed out because the database kept it waiting."""
    if not cancel_statement():
        raise OperationalError(f"the database kept a row waiting until it {error}") from error
