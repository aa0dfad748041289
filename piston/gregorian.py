"""How does the API write a moment? In Gregorian seconds: whole seconds since year 0, UTC.

The specification and decisions §2 ask for them. A fraction of a second is cut off: the moment
0.5 s before 1970 is in the second before it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNIX_EPOCH_SECONDS = 62_167_219_200  # of the Unix epoch, since year 0
SECOND = timedelta(seconds=1)


def to_gregorian(moment: datetime) -> int:
    """Return the second that the moment is in."""
    return (moment - UNIX_EPOCH) // SECOND + UNIX_EPOCH_SECONDS


def from_gregorian(seconds: int) -> datetime:
    """Return the beginning of that second; raise OverflowError outside of Python's calendar."""
    return UNIX_EPOCH + timedelta(seconds=seconds - UNIX_EPOCH_SECONDS)


def gregorian_sql(expression: str) -> str:
    """Return SQL for the second that a timestamp of PostgreSQL is in."""
    return f"floor(extract(epoch FROM {expression}))::bigint + {UNIX_EPOCH_SECONDS}"
