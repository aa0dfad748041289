"""What time is it? The database's time: workers' clocks decide nothing (design §4.2)."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.functions import Now


def database_time(seconds_from_now: float = 0) -> ExpressionWrapper:
    """Return an expression for the database's clock, moved by so many seconds."""
    return ExpressionWrapper(
        Now() + Value(timedelta(seconds=seconds_from_now)), output_field=DateTimeField()
    )
