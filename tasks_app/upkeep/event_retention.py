"""Deletes the events of tasks a fixed time after the tasks themselves, and old downloads.

Otherwise a client that creates and removes tasks in a loop would make the table grow for ever.
"""

from __future__ import annotations

from time import monotonic

from django.conf import settings
from django.db.models import Exists, OuterRef

from tasks_app.models import EventKind, Task, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.models.event import ENDS_OF_TASKS, TaskEventQuerySet

MAX_TASKS_AT_ONCE = 200  # whose events one statement deletes: this keeps its locks short
MAX_DOWNLOADS_AT_ONCE = 1_000  # per statement
SWEEP_SECONDS = 0.5  # per sweep; the next sweep continues


def forget_old_events() -> None:
    """Delete the events of tasks removed PISTON_EVENT_KEEP_DAYS ago, and downloads as old as that.

    All events of a task are deleted together, when its last event, the removal, is old enough.
    """
    if not settings.PISTON_EVENT_KEEP_DAYS:
        return
    until = monotonic() + SWEEP_SECONDS
    while forget_gone_tasks() + forget_downloads() and monotonic() < until:
        pass


def forget_gone_tasks() -> int:
    """Delete the events of some tasks that have been gone long enough; return how many."""
    purged = ~Exists(Task.objects.filter(pk=OuterRef("task_id")))
    removals = long_ago(*ENDS_OF_TASKS).filter(purged).order_by("at")
    task_ids = list(removals.values_list("task_id", flat=True)[:MAX_TASKS_AT_ONCE])
    return TaskEvent.objects.filter(task_id__in=task_ids).forget()


def forget_downloads() -> int:
    """Delete some old downloads, even of tasks that still exist; return how many."""
    downloads = long_ago(EventKind.DOWNLOADED).order_by("at")
    ids = list(downloads.values_list("pk", flat=True)[:MAX_DOWNLOADS_AT_ONCE])
    return TaskEvent.objects.filter(pk__in=ids).forget()


def long_ago(*kinds: EventKind) -> TaskEventQuerySet:
    """Return the events of these kinds that are older than PISTON_EVENT_KEEP_DAYS."""
    age = database_time(-86_400 * settings.PISTON_EVENT_KEEP_DAYS)
    return TaskEvent.objects.filter(kind__in=kinds, at__lt=age)
