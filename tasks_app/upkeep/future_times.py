"""Corrects times that lie too far in the future after the database's clock was set back.

Until such a time comes, no message would be sent and no claim would expire. So the sweeper sets
each time that exceeds its limit to that limit. A claim then lasts its full time from now: it may
really be held.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from categories.contract import circuit_breaker
from categories.errors import CategoryError
from categories.models import PeriodicRun
from piston.database import locks
from piston.plurals import plural
from tasks_app.execution import compatibility
from tasks_app.execution.external_rows import MAX_PAUSE_SECONDS
from tasks_app.execution.runs import claim_seconds
from tasks_app.execution.waiting import MAX_MISSING_PAUSE_SECONDS
from tasks_app.files import storage
from tasks_app.models import AccountTurn, Effect, Segment, Task, TaskCSV
from tasks_app.models.claims import ClaimQuerySet
from tasks_app.models.clock import database_time, further_ahead
from tasks_app.models.task import TaskQuerySet
from tasks_app.states import TaskStatus

logger = logging.getLogger(__name__)

# row time limit assumed for an unknown action; CELERY_TASK_TIME_LIMIT kills its worker anyway
UNKNOWN_ROW_SECONDS = float(settings.CELERY_TASK_TIME_LIMIT)


def correct_future_times() -> int:
    """Correct all times that lie too far ahead; return how many."""
    count = sum(correct_times(*each) for each in times())
    for tasks in open_tasks():
        count += shorten_claims(tasks)
        segments = Segment.objects.filter(task__in=tasks).select_related("task")
        count += shorten_claims(segments)
    if count:
        logger.warning(
            "%s %s lay in the future, and counts from now on: was the database's clock put back?",
            count,
            plural("time", count),
        )
    return count


def open_tasks() -> tuple[TaskQuerySet, ...]:
    """Return the tasks that still have work for workers; indexes serve each of these queries."""
    decided = Effect.objects.to_carry_out().values("task")
    return (
        Task.objects.filter(status=TaskStatus.EXECUTING),
        Task.objects.filter(status=TaskStatus.STOPPED, is_assembled=False),
        Task.objects.filter(pk__in=decided),
    )


def times() -> Iterator[tuple[QuerySet[Any], str, float]]:
    """Yield rows, the name of a time column, and by how many seconds it may lie ahead."""
    executing, *others = open_tasks()
    for tasks in (executing, *others):
        yield tasks, "dispatched_at", 0
    yield executing, "served_at", 0
    yield executing, "unfit_since", 0
    yield executing, "waiting_since", 0
    yield executing, "counted_since", 0
    yield executing, "failing_since", 0
    yield executing, "paused_until", circuit_breaker.MAX_PAUSE_SECONDS
    yield AccountTurn.objects.filter(account__in=executing.values("account")), "served_at", 0
    waiting = executing.exclude(waiting_since=None)
    for tasks, pause in (
        (executing.filter(waiting_since=None), MAX_PAUSE_SECONDS),
        (waiting, MAX_MISSING_PAUSE_SECONDS),
    ):
        yield Segment.objects.filter(task__in=tasks), "retry_at", pause
    yield TaskCSV.objects.unfinished(), "kept_until", storage.KEEP_SECONDS
    yield PeriodicRun.objects.all(), "last_due_at", 0


def correct_times(rows: QuerySet[Any], name: str, seconds: float) -> int:
    """Set a time to its limit in the rows where it lies further ahead; return how many.

    It skips locked rows: otherwise one of them would keep all the others from being corrected.
    """
    ahead = rows.filter(further_ahead(name, seconds))
    if not ahead.exists():  # on SQLite, take the write lock only when there is work
        return 0
    with transaction.atomic():
        unlocked = ahead.order_by().select_for_update(skip_locked=True, no_key=True).values("pk")
        found = ahead.filter(pk__in=unlocked) if locks.has_row_locks() else ahead
        return found.update(**{name: database_time(seconds)})


def shorten_claims(rows: ClaimQuerySet[Any]) -> int:
    """Shorten claims that last too long, as if they were taken now; return how many."""
    count = 0
    until = rows.claim.until
    for row in rows.filter(further_ahead(until, settings.PISTON_CLAIM_SECONDS)):
        seconds = longest_claim(row if isinstance(row, Task) else row.task)
        count += correct_times(rows.filter(pk=row.pk), until, seconds)
    return count


def longest_claim(task: Task) -> float:
    """Return how many seconds a claim on a task can last, even during an external call."""
    try:
        action = compatibility.get_action(task)
    except CategoryError:  # the limits of another version are unknown
        return settings.PISTON_CLAIM_SECONDS + 2.5 * UNKNOWN_ROW_SECONDS
    return claim_seconds(action) + action.row_seconds
