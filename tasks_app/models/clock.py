"""What time is it? The database's time: workers' clocks decide nothing (design §4.2)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, Q, Value
from django.db.models.functions import Now
from django.utils import timezone

from piston.database.compiled_queries import Slot

SLACK_SECONDS = 2.0


def database_time(seconds_from_now: float | Slot = 0) -> ExpressionWrapper:
    """Return an expression for the database's clock, moved by so many seconds."""
    moved_by = (
        seconds_from_now
        if isinstance(seconds_from_now, Slot)
        else Value(timedelta(seconds=seconds_from_now))
    )
    return ExpressionWrapper(Now() + moved_by, output_field=DateTimeField())


def further_ahead(name: str, seconds: float) -> Q:
    """Return the condition that a time lies further ahead than so many seconds, which it can.

    Somebody may have written it a moment ago, by a clock that is a little later than this query's.
    """
    return Q(**{f"{name}__gt": database_time(seconds + SLACK_SECONDS)})


def read_database_clock() -> datetime:
    """Ask the database for the time; SQLite has no clock but this machine's."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
