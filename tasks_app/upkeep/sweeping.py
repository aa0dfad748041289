"""What fell through, and how is it put right? The only recovery mechanism; it keeps no state.

Any number of sweepers may run at any time: each step is a guarded UPDATE or may be repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from categories.periodic import run_due_jobs
from piston import disk_reserve
from piston.accounts.signing_in import purge_expired_tokens
from piston.database import locks
from piston.database.locks import WaitBriefly
from piston.database.sqlite.shrinking import shrink_database
from tasks_app import events, lifecycle, quotas
from tasks_app.errors import StorageUnavailable, TaskNotFound
from tasks_app.execution import compatibility
from tasks_app.files import storage
from tasks_app.models import Effect, EventKind, Part, Segment, Task, TaskCSV
from tasks_app.models.clock import database_time, read_database_clock
from tasks_app.queue import dispatch
from tasks_app.states import FINAL, Ending, TaskStatus
from tasks_app.upkeep import future_times, unlocked
from tasks_app.upkeep.event_retention import forget_old_events
from tasks_app.upkeep.hourly_and_daily import run_due_upkeep

logger = logging.getLogger(__name__)

MAX_UNFIT_AT_ONCE = 10
MAX_AT_ONCE = 50  # tasks per step and sweep; a woken worker serves whoever waited longest anyway
DELETION_SECONDS = 60  # for one file; then another sweeper tries
DELETING_SECONDS = 0.5  # of tasks, and of files, in a sweep; the next one goes on
SILENCE_SECONDS = 10  # without an answer to a message, before it is sent again

_swept_at = float("-inf")  # on this process's monotonic clock


def sweep_unless_just_done() -> None:
    """Sweep, but pass over messages that piled up while no worker was there."""
    global _swept_at  # noqa: PLW0603 - of this process alone; it saves work and decides nothing
    if monotonic() - _swept_at >= settings.PISTON_SWEEP_SECONDS / 4:
        sweep()
        _swept_at = monotonic()


def sweep() -> None:
    """Find and repair everything that was cut off; one step's trouble does not stop the others."""
    is_short = disk_reserve.is_short()
    waking = (
        wake_abandoned_tasks,
        wake_silent_tasks,
        wake_unfit_tasks,
        send_for_assemblies,
        send_for_settlings,
    )
    steps: tuple[Callable[[], object], ...] = (
        disk_reserve.restore,  # also what a power cut has left empty
        *(() if is_short else (future_times.bring_back,)),
        *((delete_bytes_first,) if is_short else waking),
        end_unfit_tasks,
        end_waiting_tasks,
        purge_removed_tasks,
        delete_orphaned_files,
        shrink_database,
        remove_expired_tasks,
        purge_expired_tokens,
        forget_old_events,
        run_periodic_jobs,
        run_due_upkeep,
    )
    for step in steps:
        try:
            step()
        except Exception:
            logger.exception("Sweeping: %s failed", step.__name__)


def delete_bytes_first() -> None:
    """Delete the files that nobody will read any more; their rows go when they can be written.

    The disk is full, so whoever writes output has to wait and is not woken.
    """
    logger.warning("Uploads, rows and outputs have to wait: %s", disk_reserve.REASON)
    soon = database_time(storage.KEEP_SECONDS)  # not files that a newer database may know
    given_up = Q(task=None, is_given_up=True, kept_until__lt=soon)
    doomed = Q(task__status=TaskStatus.REMOVED) | given_up
    for csv_file in TaskCSV.objects.filter(doomed).order_by("-size_bytes")[: 4 * MAX_AT_ONCE]:
        storage.delete(csv_file.key)


def quiet() -> Q:
    """Tasks without a message on its way, or whose message seems to be lost."""
    return Q(dispatched_at=None) | Q(dispatched_at__lt=database_time(-SILENCE_SECONDS))


def for_each(tasks: Iterable[Task], act: Callable[[Task], None]) -> None:
    """Do something about each task; one task's trouble does not stop the others."""
    for task in tasks:
        try:
            act(task)
        except Exception:
            logger.exception("Sweeping: %s of task %s failed", act.__name__, task.pk)


def free(tasks: QuerySet[Task]) -> list[Task]:
    """Return the first of the tasks that nobody has locked."""
    return unlocked.free(tasks, MAX_AT_ONCE)


def wake_abandoned_tasks() -> None:
    """Send for the end of tasks whose worker died after their last batch."""
    for_each(free(Task.objects.unended().filter(quiet())), repeat_message)


def wake_silent_tasks() -> None:
    """Send the messages that were lost: with the broker, or with a worker whose claim expired."""
    waiting = Segment.objects.claimable().values("task")
    silent = Task.objects.running().filter(quiet(), pk__in=waiting, unfit_since=None)
    longest_waiting = silent.order_by(F("served_at").asc(nulls_first=True))
    for_each(unlocked.with_free_segment(longest_waiting, MAX_AT_ONCE), repeat_message)


def wake_unfit_tasks() -> None:
    """Ask for some of the tasks that no worker fitted: one may have come that does.

    A few at random, however many there are: they take nothing from those that can be done.
    """
    unfit = Task.objects.running().filter(quiet(), unfit_since__isnull=False)
    for_each(unlocked.free(unfit.order_by("?"), MAX_UNFIT_AT_ONCE), repeat_message)


def end_unfit_tasks() -> None:
    """End tasks whose version or action no worker has had for so long."""
    for_each(free(for_too_long("unfit_since")), end_unfit)


def for_too_long(since: str) -> QuerySet[Task]:
    """Return the running tasks that nobody has been able to work on for so long."""
    before = database_time(-settings.PISTON_UNFIT_SECONDS)
    return Task.objects.running().filter(**{f"{since}__lt": before}).order_by(since)


def still(tasks: QuerySet[Task], task: Task) -> bool:
    """Say whether a task is one of these, which stays so until the transaction ends."""
    return tasks.select_for_update(no_key=True).filter(pk=task.pk).first() is not None


@transaction.atomic
def end_unfit(task: Task) -> None:
    """End a task that no worker fits, unless this one does."""
    locks.wait_briefly()
    problem = compatibility.find_problem(task)
    if problem is None or not still(for_too_long("unfit_since"), task):
        return
    differs = isinstance(problem, compatibility.VersionDiffers)
    ending = Ending.REFUSED if differs else Ending.BROKEN
    if task.end_work(ending, compatibility.describe_problem(problem)):
        if not differs:
            events.record(task, EventKind.BROKEN, events.SYSTEM, detail=str(problem))
        dispatch.request_assembly(task.pk)


def end_waiting_tasks() -> None:
    """End tasks whose action has missed something in the database for so long."""
    for_each(free(for_too_long("waiting_since")), end_waiting)


@transaction.atomic
def end_waiting(task: Task) -> None:
    """End a task that waits in vain; the reason has the kind of what is missing, no names."""
    locks.wait_briefly()
    if not still(for_too_long("waiting_since"), task):
        return
    kind = task.waiting_for.partition(":")[0]
    if task.end_work(Ending.BROKEN, f"the action failed: {kind}: the details are in the log"):
        events.record(task, EventKind.BROKEN, events.SYSTEM, detail=task.waiting_for)
        dispatch.request_assembly(task.pk)


def repeat_message(task: Task) -> None:
    """Send the task's newest message again; the first copy to arrive counts."""
    Task.objects.filter(quiet(), WaitBriefly(), pk=task.pk).update(dispatched_at=Now())
    dispatch.send_wake(task.pk)


def send_for_assemblies() -> None:
    """Send for the outputs that are due and that nobody assembles."""
    due = Task.objects.awaiting_assembly().filter(quiet())
    for_each(free(due), lambda task: dispatch.request_assembly(task.pk))


def send_for_settlings() -> None:
    """Send for what people decided about rows and nobody is carrying out."""
    decided = Effect.objects.to_carry_out().values("task")
    due = Task.objects.assembled().free().filter(quiet(), pk__in=decided)
    for_each(free(due), lambda task: dispatch.request_settling(task.pk))


def purge_removed_tasks() -> None:
    """Delete the rows of removed tasks and give up their files, as many as there is time for."""
    until = monotonic() + DELETING_SECONDS
    removed = locks.unlocked(next_removed(""))
    while removed:
        last = removed[-1].pk  # a deleted one has no key any more
        for_each(removed, purge)
        removed = locks.unlocked(next_removed(last)) if monotonic() < until else []


def next_removed(after: str) -> QuerySet[Task]:
    """Return some removed tasks after another one, so that no task in trouble is met twice."""
    removed = Task.objects.filter(status=TaskStatus.REMOVED, pk__gt=after)
    return removed.order_by("pk")[:MAX_AT_ONCE]


@transaction.atomic
def purge(task: Task) -> None:
    """Delete a removed task; its events stay."""
    locks.wait_briefly()
    task.csvs.update(task=None, kept_until=Now(), is_given_up=True)
    Part.objects.filter(task=task).delete()
    quotas.uncount(task)  # it is still counted when the release before removed it
    task.delete()


def delete_orphaned_files() -> None:
    """Delete the files that no task refers to; the row goes only after its file."""
    until = monotonic() + DELETING_SECONDS
    while delete_some_files() and monotonic() < until:
        pass


def delete_some_files() -> int:
    """Delete some of them, return how many were tried; those in trouble come again later."""
    orphaned = locks.unlocked(TaskCSV.objects.orphaned()[: 4 * MAX_AT_ONCE])
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


def remove_expired_tasks() -> None:
    """Remove tasks that ended longer ago than this installation keeps them."""
    if not settings.PISTON_TASK_KEEP_DAYS:
        return
    before = database_time(-86_400 * settings.PISTON_TASK_KEEP_DAYS)
    expired = Task.objects.filter(status__in=FINAL, ended_at__lt=before).order_by("ended_at")
    for_each(free(expired), expire)


def expire(task: Task) -> None:
    """Remove a task as the system, unless a person or another sweeper was faster."""
    with suppress(TaskNotFound), transaction.atomic():
        locks.wait_briefly()
        lifecycle.remove(task, events.SYSTEM, kind=EventKind.EXPIRED)


def run_periodic_jobs() -> None:
    """Run what categories do by the minute, hour or day."""
    run_due_jobs(read_database_clock())
