"""How long is it remembered what happened? As long as there is the task, and a while longer.

Else a client that creates and removes tasks in a loop would make the events grow for ever.
"""

from __future__ import annotations

from time import monotonic

from django.conf import settings
from django.db.models import Exists, OuterRef

from tasks_app.models import EventKind, Task, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.models.event import ENDS_OF_TASKS, TaskEventQuerySet

MAX_TASKS_AT_ONCE = 200  # whose events one statement deletes: locks are short
MAX_DOWNLOADS_AT_ONCE = 1_000
SWEEP_SECONDS = 0.5  # then other steps of the sweep get their turn; the next one goes on


def forget_old_events() -> None:
    """Delete the events of tasks that are gone for PISTON_EVENT_KEEP_DAYS, and older downloads.

    Those of a task go together, when the youngest of them, its removal, is old enough.
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
    """Delete some downloads of long ago, whose tasks may still be there; return how many."""
    downloads = long_ago(EventKind.DOWNLOADED).order_by("at")
    ids = list(downloads.values_list("pk", flat=True)[:MAX_DOWNLOADS_AT_ONCE])
    return TaskEvent.objects.filter(pk__in=ids).forget()


def long_ago(*kinds: EventKind) -> TaskEventQuerySet:
    """Return the events of these kinds whose time to be remembered is over."""
    age = database_time(-86_400 * settings.PISTON_EVENT_KEEP_DAYS)
    return TaskEvent.objects.filter(kind__in=kinds, at__lt=age)
