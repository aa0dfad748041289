"""Which tasks can a sweep do something about? Those that nobody has locked; it names the others."""

from __future__ import annotations

from time import monotonic, sleep

from django.db.models import QuerySet

from piston.database import locks
from tasks_app.execution import lock_holders
from tasks_app.models import Segment, Task

MAX_NAMED = 5  # tasks that are locked, by each step of a sweep
LOCK_SECONDS = 0.3  # after which a lock is somebody else's
LOOKING_SECONDS = 0.5  # for tasks with a segment that is free, however many are locked


def free(tasks: QuerySet[Task], count: int) -> list[Task]:
    """Return the first of the tasks that nobody has locked; others would hold the sweep up."""
    found = locks.unlocked(tasks[:count])
    if len(found) < count and locks.has_row_locks():
        warn_of_locked(tasks.exclude(pk__in=[task.pk for task in found]))
    return found


def warn_of_locked(tasks: QuerySet[Task]) -> None:
    """Name some of the tasks in the log that stay locked, and by whom."""
    if not (keys := [task.pk for task in tasks[:MAX_NAMED]]):
        return
    sleep(LOCK_SECONDS)  # for a batch that is being committed
    freed = {task.pk for task in locks.unlocked(Task.objects.filter(pk__in=keys))}
    for key in keys:
        if key not in freed and Task.objects.filter(pk=key).exists():
            locks.warn_of_lock(Task, key)


def with_free_segment(tasks: QuerySet[Task], count: int) -> list[Task]:
    """Return the first of the tasks of which a worker could claim a segment.

    Where all that is left of a task is locked, each message would only cost a worker time.
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
    """Return those of the tasks that have a segment which can be claimed, and is not locked."""
    segments = Segment.objects.claimable().filter(task__in=keys)
    return {segment.task_id for segment in locks.unlocked(segments)}


def warn_of_locked_segments(keys: list[str]) -> None:
    """Name the tasks in the log whose segments stay locked, and by whom."""
    if not keys:
        return
    sleep(LOCK_SECONDS)  # for claims that are being made
    for key in set(keys) - find_claimable(keys):
        lock_holders.warn(key)
