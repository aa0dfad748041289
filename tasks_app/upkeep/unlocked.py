"""Selects unlocked tasks for a sweep and acts on them; the log names the locked ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from time import monotonic, sleep

from django.db.models import QuerySet

from piston.database import locks
from tasks_app.execution import lock_holders
from tasks_app.models import Segment, Task

logger = logging.getLogger(__name__)

MAX_NAMED = 5  # locked tasks that each step of a sweep names in the log
LOCK_SECONDS = 0.3  # a lock held for longer is not one of a batch or claim being committed
LOOKING_SECONDS = 0.5  # time limit of the search for tasks with an unlocked segment


def for_each(tasks: Iterable[Task], act: Callable[[Task], None]) -> None:
    """Act on each task; an error of one does not stop the others."""
    for task in tasks:
        try:
            act(task)
        except Exception:
            logger.exception("Sweeping: %s of task %s failed", act.__name__, task.pk)


def free(tasks: QuerySet[Task], count: int) -> list[Task]:
    """Return the first `count` tasks that are not locked; a locked one would block the sweep."""
    found = locks.unlocked(tasks[:count])
    if len(found) < count and locks.has_row_locks():
        warn_of_locked(tasks.exclude(pk__in=[task.pk for task in found]))
    return found


def warn_of_locked(tasks: QuerySet[Task]) -> None:
    """Log some of the tasks that stay locked, and the holders of their locks."""
    if not (keys := [task.pk for task in tasks[:MAX_NAMED]]):
        return
    sleep(LOCK_SECONDS)  # until a batch that holds the lock is committed
    freed = {task.pk for task in locks.unlocked(Task.objects.filter(pk__in=keys))}
    for key in keys:
        if key not in freed and Task.objects.filter(pk=key).exists():
            locks.warn_of_lock(Task, key)


def with_free_segment(tasks: QuerySet[Task], count: int) -> list[Task]:
    """Return the first `count` tasks with a segment that a worker could claim.

    If all segments that a task has left are locked, a message would only waste a worker's time.
    """
    if not locks.has_row_locks():
        return free(tasks, count)
    until = monotonic() + LOOKING_SECONDS
    found: list[Task] = []
    locked: list[str] = []
    while True:
        keys = [task.pk for task in found]
        page = free(tasks.exclude(pk__in=keys + locked), count)
        claimable = find_claimable([task.pk for task in page])
        found += [task for task in page if task.pk in claimable]
        locked += [task.pk for task in page if task.pk not in claimable]
        if len(page) < count or len(found) >= count or monotonic() > until:
            break
    warn_of_locked_segments(locked[:MAX_NAMED])
    return found[:count]


def find_claimable(keys: list[str]) -> set[str]:
    """Return the keys of tasks that have a claimable segment which is not locked."""
    segments = Segment.objects.claimable().filter(task__in=keys)
    return {segment.task_id for segment in locks.unlocked(segments)}


def warn_of_locked_segments(keys: list[str]) -> None:
    """Log the tasks whose segments stay locked, and the holders of their locks."""
    if not keys:
        return
    sleep(LOCK_SECONDS)  # until claims that hold the locks are committed
    for key in set(keys) - find_claimable(keys):
        lock_holders.warn(key)
