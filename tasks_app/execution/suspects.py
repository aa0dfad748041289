"""Which row kills its worker? Found by trying one at a time after a death (design §4.7)."""

from __future__ import annotations

from django.db.models import Case, F, Value, When

from tasks_app.errors import ClaimLost
from tasks_app.models import Segment

POISON_DEATHS = 2  # workers that died on a row they tried alone, before it is recorded as failed


def is_careful(segment: Segment) -> bool:
    """Has the next row to be tried alone, because a worker died among these rows?"""
    return segment.cursor_row < segment.careful_until_row


def be_careful(segment: Segment, row_count: int) -> None:
    """Let the next rows be tried one at a time, by this worker and its successors."""
    segment.careful_until_row = segment.cursor_row + row_count
    mine = Segment.objects.filter(pk=segment.pk, claim=segment.claim)
    if not mine.update(careful_until_row=segment.careful_until_row):
        raise ClaimLost


def mark_suspect(segment: Segment) -> int:
    """Write down that the next row is about to be tried alone; return how many died on it.

    The mark is committed before the row is touched and goes with the row's
    commit. So a death counts against a row only when the worker was at it.
    """
    number = segment.cursor_row + 1
    mine = Segment.objects.filter(pk=segment.pk, claim=segment.claim)
    marked = mine.update(
        suspect_row=number,
        suspect_deaths=Case(
            When(suspect_row=number, then=F("suspect_deaths") + 1), default=Value(0)
        ),
    )
    if not marked:
        raise ClaimLost
    segment.refresh_from_db(fields=["suspect_row", "suspect_deaths"])
    return segment.suspect_deaths
