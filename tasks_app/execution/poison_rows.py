"""Which row kills its worker? Found by trying fewer and fewer after each death (design §4.7)."""

from __future__ import annotations

from django.db.models import Case, F, Value, When

from tasks_app.errors import ClaimLost
from tasks_app.models import Segment
from tasks_app.models.clock import database_time

SHRINK_FACTOR = 100  # a batch in which a worker died is tried again in batches so much smaller
MAX_DEATHS = 2  # workers that died on a row they tried alone, before it is recorded as failed
# before that, for workers that live after all: those that were cut off from the database, or stood
# still, come back after it does, within the time that a connection takes to fail and one to be made
GRACE_SECONDS = 10.0


def may_hold_poison_row(segment: Segment) -> bool:
    """Say whether a worker died, or ran out of time, among the next rows: batches stay small."""
    return segment.cursor_row < segment.careful_until_row


def is_isolated(segment: Segment) -> bool:
    """Say whether the next row is to be tried alone, and marked before it is touched."""
    return may_hold_poison_row(segment) and segment.batch_size == 1


def shrink_batches(segment: Segment, row_count: int) -> None:
    """Let the next rows be tried in small batches, by this worker and its successors."""
    segment.careful_until_row = segment.cursor_row + row_count
    segment.batch_size = max(1, row_count // SHRINK_FACTOR)
    mine = Segment.objects.fence(segment)
    if not mine.update(careful_until_row=segment.careful_until_row, batch_size=segment.batch_size):
        raise ClaimLost


def count_deaths(segment: Segment) -> int:
    """Return how many workers were not heard of again that had tried the next row alone."""
    return segment.suspect_trials if segment.suspect_row == segment.cursor_row + 1 else 0


def mark_isolated_attempt(segment: Segment) -> None:
    """Write down that the next row is about to be tried alone.

    The mark is committed before the row is touched and goes with the row's commit, or when the
    worker says that it lives. So a death counts against a row only when the worker was at it.
    """
    number = segment.cursor_row + 1
    mine = Segment.objects.fence(segment)
    marked = mine.update(
        suspect_row=number,
        suspect_trials=Case(
            When(suspect_row=number, then=F("suspect_trials") + 1), default=Value(1)
        ),
        retry_at=None,  # whoever blames it gives time first
    )
    if not marked:
        raise ClaimLost
    segment.tried_row = number


def had_grace_period(segment: Segment) -> bool:
    """Have those who tried the row had time to say that they live?"""
    return segment.retry_at is not None


def start_grace_period(segment: Segment) -> None:
    """Leave a row that seems to kill its workers for a while: one may live and be about to say so.

    The claim is given up under another number, so that nothing of this worker takes that back.
    """
    Segment.objects.fence(segment).revoke(claimed_for="", retry_at=database_time(GRACE_SECONDS))
