"""What if the database's clock was ahead, and is put right? Times that it wrote lie in the future.

Nobody would be sent for, and no claim would expire, until they have come. So the sweeper brings
each back that lies further ahead than it can. A claim begins anew then: it may really be held.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from categories import registry
from categories.models import PeriodicRun
from piston.database import locks
from piston.plurals import plural
from tasks_app.execution import compatibility
from tasks_app.execution.external import MAX_PAUSE_SECONDS
from tasks_app.execution.runs import claim_seconds
from tasks_app.execution.waiting import MAX_MISSING_PAUSE_SECONDS
from tasks_app.files import storage
from tasks_app.models import AccountTurn, Effect, Segment, Task, TaskCSV
from tasks_app.models.claims import ClaimQuerySet
from tasks_app.models.clock import database_time, further_ahead
from tasks_app.models.task import TaskQuerySet
from tasks_app.states import TaskStatus

logger = logging.getLogger(__name__)

# of an action that this process does not know: its worker dies after CELERY_TASK_TIME_LIMIT anyway
UNKNOWN_ROW_SECONDS = float(settings.CELERY_TASK_TIME_LIMIT)


def bring_back() -> int:
    """Bring back all times that lie further ahead than they can; return how many."""
    count = sum(bring_times_back(*each) for each in times())
    for tasks in open_tasks():
        count += bring_claims_back(tasks)
        segments = Segment.objects.filter(task__in=tasks).select_related("task")
        count += bring_claims_back(segments)
    if count:
        logger.warning(
            "%s %s lay in the future, and counts from now on: was the database's clock put back?",
            count,
            plural("time", count),
        )
    return count


def open_tasks() -> tuple[TaskQuerySet, ...]:
    """Return the tasks about which somebody has still something to do, as indexes find them."""
    decided = Effect.objects.to_carry_out().values("task")
    return (
        Task.objects.filter(status=TaskStatus.EXECUTING),
        Task.objects.filter(status=TaskStatus.STOPPED, is_assembled=False),
        Task.objects.filter(pk__in=decided),
    )


def times() -> Iterator[tuple[QuerySet[Any], str, float]]:
    """Yield rows, the name of a time in them, and how many seconds ahead it may be."""
    executing, *others = open_tasks()
    for tasks in (executing, *others):
        yield tasks, "dispatched_at", 0
    yield executing, "served_at", 0
    yield executing, "unfit_since", 0
    yield executing, "waiting_since", 0
    yield AccountTurn.objects.filter(account__in=executing.values("account")), "served_at", 0
    waiting = executing.exclude(waiting_since=None)
    for tasks, pause in (
        (executing.filter(waiting_since=None), MAX_PAUSE_SECONDS),
        (waiting, MAX_MISSING_PAUSE_SECONDS),
    ):
        yield Segment.objects.filter(task__in=tasks), "retry_at", pause
    yield TaskCSV.objects.unfinished(), "kept_until", storage.KEEP_SECONDS
    yield PeriodicRun.objects.all(), "last_due_at", 0


def bring_times_back(rows: QuerySet[Any], name: str, seconds: float) -> int:
    """Let a time be as far ahead as it can be, where it is further.

    Rows that somebody has locked are passed over: one of them would keep all in the future.
    """
    ahead = rows.filter(further_ahead(name, seconds))
    if not ahead.exists():  # SQLite's lock is not taken for nothing
        return 0
    with transaction.atomic():
        unlocked = ahead.order_by().select_for_update(skip_locked=True, no_key=True).values("pk")
        found = ahead.filter(pk__in=unlocked) if locks.has_row_locks() else ahead
        return found.update(**{name: database_time(seconds)})


def bring_claims_back(rows: ClaimQuerySet[Any]) -> int:
    """Let claims last as long as if they began now, where they would last longer."""
    count = 0
    until = rows.claim.until
    for row in rows.filter(further_ahead(until, settings.PISTON_CLAIM_SECONDS)):
        seconds = longest_claim(row if isinstance(row, Task) else row.task)
        count += bring_times_back(rows.filter(pk=row.pk), until, seconds)
    return count


def longest_claim(task: Task) -> float:
    """Return how long a claim on a task can last, while a row of it is outside as well."""
    if compatibility.find_problem(task):  # another version may say otherwise
        return settings.PISTON_CLAIM_SECONDS + 2.5 * UNKNOWN_ROW_SECONDS
    _, action = registry.get_action(task.category, task.action)
    return claim_seconds(action) + action.row_seconds
