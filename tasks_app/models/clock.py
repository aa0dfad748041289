"""Reads and compares the database's clock; workers' clocks decide nothing (design §4.2)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, Q, Value
from django.db.models.functions import Now
from django.utils import timezone

from piston.database.compiled_queries import Slot

SLACK_SECONDS = 2.0  # by which a time may exceed its limit (`further_ahead`)


def database_time(seconds_from_now: float | Slot = 0) -> ExpressionWrapper:
    """Return an expression for the time of the database's clock plus these seconds."""
    moved_by = (
        seconds_from_now
        if isinstance(seconds_from_now, Slot)
        else Value(timedelta(seconds=seconds_from_now))
    )
    return ExpressionWrapper(Now() + moved_by, output_field=DateTimeField())


def further_ahead(name: str, seconds: float) -> Q:
    """Return the condition that a time lies more than `seconds` (and SLACK_SECONDS) ahead.

    The slack allows for a time that another process wrote a moment ago: its statement's clock can
    be a little later than this query's.
    """
    return Q(**{f"{name}__gt": database_time(seconds + SLACK_SECONDS)})


def read_database_clock() -> datetime:
    """Return the database's time; SQLite uses this machine's clock."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
