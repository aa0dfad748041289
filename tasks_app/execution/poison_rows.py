"""Finds a row that kills its workers, with smaller batches after each death (design §4.7)."""

from __future__ import annotations

from django.db.models import Case, F, Value, When

from tasks_app.errors import ClaimLost
from tasks_app.models import Segment
from tasks_app.models.clock import database_time

SHRINK_FACTOR = 100  # a batch in which a worker died is divided by this
MAX_DEATHS = 2  # of workers that ran the row alone; then it is recorded as failed
# Before a poison row is recorded as failed, the workers that ran it have this long to report that
# they are alive. A worker that was paused or cut off from the database needs the time for its old
# connection to fail and a new one to open.
GRACE_SECONDS = 10.0


def may_hold_poison_row(segment: Segment) -> bool:
    """Say whether a worker died, or ran out of time, in the next rows: batches stay small."""
    return segment.cursor_row < segment.careful_until_row


def is_isolated(segment: Segment) -> bool:
    """Say whether the next row must run alone, with its attempt recorded first."""
    return may_hold_poison_row(segment) and segment.batch_size == 1


def shrink_batches(segment: Segment, row_count: int) -> None:
    """Make this worker, and those after it, run the next rows in small batches."""
    segment.careful_until_row = segment.cursor_row + row_count
    segment.batch_size = max(1, row_count // SHRINK_FACTOR)
    mine = Segment.objects.fence(segment)
    if not mine.update(careful_until_row=segment.careful_until_row, batch_size=segment.batch_size):
        raise ClaimLost


def count_deaths(segment: Segment) -> int:
    """Return how many workers ran the next row alone and have not reported since."""
    return segment.suspect_trials if segment.suspect_row == segment.cursor_row + 1 else 0


def mark_isolated_attempt(segment: Segment) -> None:
    """Record that the next row is about to run alone.

    The record is committed before the row runs. The row's commit removes it, and so does a worker
    that reports that it lives. So a death counts against a row only if the worker was running it.
    """
    number = segment.cursor_row + 1
    mine = Segment.objects.fence(segment)
    marked = mine.update(
        suspect_row=number,
        suspect_trials=Case(
            When(suspect_row=number, then=F("suspect_trials") + 1), default=Value(1)
        ),
        retry_at=None,  # the grace period has not begun
    )
    if not marked:
        raise ClaimLost
    segment.tried_row = number


def had_grace_period(segment: Segment) -> bool:
    """Say whether the row's grace period has been given."""
    return segment.retry_at is not None


def start_grace_period(segment: Segment) -> None:
    """Leave a possible poison row alone for GRACE_SECONDS: its worker may be alive and report so.

    The claim's number is raised, so that no later write of this worker ends the grace period.
    """
    Segment.objects.fence(segment).revoke(claimed_for="", retry_at=database_time(GRACE_SECONDS))
