"""Converts times to the API's Gregorian seconds: whole seconds since year 0, in UTC.

The specification and decisions §2 require them. Fractions are rounded down: the moment 0.5 s
before 1970 belongs to the second before 1970.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNIX_EPOCH_SECONDS = 62_167_219_200  # from year 0 to the Unix epoch
SECOND = timedelta(seconds=1)


def to_gregorian(moment: datetime) -> int:
    """Return the second that contains the moment."""
    return (moment - UNIX_EPOCH) // SECOND + UNIX_EPOCH_SECONDS


def from_gregorian(seconds: int) -> datetime:
    """Return the start of that second. Raises OverflowError outside of Python's calendar."""
    return UNIX_EPOCH + timedelta(seconds=seconds - UNIX_EPOCH_SECONDS)


def gregorian_sql(expression: str) -> str:
    """Return SQL for the second that contains a PostgreSQL timestamp."""
    return f"floor(extract(epoch FROM {expression}))::bigint + {UNIX_EPOCH_SECONDS}"
