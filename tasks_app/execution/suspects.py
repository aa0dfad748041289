"""Which row kills its worker? Found by trying fewer and fewer after each death (design §4.7)."""

from __future__ import annotations

from django.db.models import Case, F, Value, When

from tasks_app.errors import ClaimLost
from tasks_app.models import Segment

SHRINKAGE = 100  # a batch in which a worker died is tried again in batches so much smaller
POISON_DEATHS = 2  # workers that died on a row they tried alone, before it is recorded as failed


def is_careful(segment: Segment) -> bool:
    """Say whether a worker died, or ran out of time, among the next rows: batches stay small."""
    return segment.cursor_row < segment.careful_until_row


def is_alone(segment: Segment) -> bool:
    """Say whether the next row is to be tried alone, and marked before it is touched."""
    return is_careful(segment) and segment.batch_size == 1


def be_careful(segment: Segment, row_count: int) -> None:
    """Let the next rows be tried in small batches, by this worker and its successors."""
    segment.careful_until_row = segment.cursor_row + row_count
    segment.batch_size = max(1, row_count // SHRINKAGE)
    mine = Segment.objects.filter(pk=segment.pk, claim=segment.claim)
    if not mine.update(careful_until_row=segment.careful_until_row, batch_size=segment.batch_size):
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
    try:
        segment.refresh_from_db(fields=["suspect_row", "suspect_deaths"])
    except Segment.DoesNotExist as error:  # its task was removed, and purged at once
        raise ClaimLost from error
    return segment.suspect_deaths
