"""Removes tasks that ended long ago, and deletes removed tasks and files that no task refers to."""

from __future__ import annotations

import logging
from contextlib import suppress
from time import monotonic

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from piston import disk_reserve
from piston.database import locks
from piston.database.locks import WaitBriefly
from tasks_app import events, lifecycle, quotas
from tasks_app.errors import StorageUnavailable, TaskNotFound
from tasks_app.files import storage
from tasks_app.models import EventKind, Part, Task, TaskCSV
from tasks_app.models.clock import database_time
from tasks_app.states import FINAL, TaskStatus
from tasks_app.upkeep.unlocked import for_each, free

logger = logging.getLogger(__name__)

MAX_TASKS_AT_ONCE = 50  # per statement
MAX_FILES_AT_ONCE = 200  # per statement
DELETION_SECONDS = 60  # for one file; then another sweeper may try
DELETING_SECONDS = 0.5  # per sweep, for tasks and for files each; the next sweep continues


def remove_expired_tasks() -> None:
    """Remove tasks that ended more than PISTON_TASK_KEEP_DAYS ago."""
    if not settings.PISTON_TASK_KEEP_DAYS:
        return
    before = database_time(-86_400 * settings.PISTON_TASK_KEEP_DAYS)
    expired = Task.objects.filter(status__in=FINAL, ended_at__lt=before).order_by("ended_at")
    for_each(free(expired, MAX_TASKS_AT_ONCE), expire)


def expire(task: Task) -> None:
    """Remove a task as the system, unless a person or another sweeper has removed it."""
    with suppress(TaskNotFound), transaction.atomic():
        locks.wait_briefly()
        lifecycle.remove(task, events.SYSTEM, kind=EventKind.EXPIRED)


def purge_removed_tasks() -> None:
    """Delete the rows of removed tasks and give up their files, for DELETING_SECONDS."""
    until = monotonic() + DELETING_SECONDS
    removed = locks.unlocked(next_removed(""))
    while removed:
        last = removed[-1].pk  # before deletion, which unsets it
        for_each(removed, purge)
        removed = locks.unlocked(next_removed(last)) if monotonic() < until else []


def next_removed(after: str) -> QuerySet[Task]:
    """Return some removed tasks after another one, so that a failing one is not tried twice."""
    removed = Task.objects.filter(status=TaskStatus.REMOVED, pk__gt=after)
    return removed.order_by("pk")[:MAX_TASKS_AT_ONCE]


@transaction.atomic
def purge(task: Task) -> None:
    """Delete a removed task; its events stay."""
    locks.wait_briefly()
    task.csvs.update(task=None, kept_until=Now(), is_given_up=True)
    Part.objects.filter(task=task).delete()
    quotas.uncount(task)  # a task that the previous release removed is still counted
    task.delete()


def delete_orphaned_files() -> None:
    """Delete files that no task refers to; each row is deleted only after its file."""
    until = monotonic() + DELETING_SECONDS
    while delete_some_files() and monotonic() < until:
        pass


def delete_some_files() -> int:
    """Delete some of the files and return how many were tried; failed ones are retried later."""
    orphaned = locks.unlocked(TaskCSV.objects.orphaned()[:MAX_FILES_AT_ONCE])
    for csv_file in orphaned:
        given_up = TaskCSV.objects.orphaned().filter(WaitBriefly(), pk=csv_file.pk)
        if given_up.update(is_given_up=True, kept_until=database_time(DELETION_SECONDS)):
            try:
                storage.delete(csv_file.key)
            except StorageUnavailable as error:
                logger.warning("Sweeping: %s stays for now: %s", csv_file.key, error)
            else:
                TaskCSV.objects.filter(pk=csv_file.pk, task=None).delete()
    return len(orphaned)


def delete_bytes_first() -> None:
    """Delete files that will not be read again; their rows are deleted once there is room.

    The disk is short of space, so deleting bytes comes before any write.
    """
    logger.warning("Uploads, rows and outputs have to wait: %s", disk_reserve.REASON)
    soon = database_time(storage.KEEP_SECONDS)  # not files that a newer database may know
    given_up = Q(task=None, is_given_up=True, kept_until__lt=soon)
    doomed = Q(task__status=TaskStatus.REMOVED) | given_up
    for csv_file in TaskCSV.objects.filter(doomed).order_by("-size_bytes")[:MAX_FILES_AT_ONCE]:
        storage.delete(csv_file.key)
