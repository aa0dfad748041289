"""Finds and repairs interrupted work and lost messages; the only recovery mechanism.

It keeps no state. Any number of sweepers may run at any time: each step is a guarded UPDATE or can
be repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
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
from tasks_app import events
from tasks_app.execution import compatibility
from tasks_app.models import Effect, EventKind, Segment, Task
from tasks_app.models.clock import database_time, read_database_clock
from tasks_app.queue import dispatch
from tasks_app.states import Ending
from tasks_app.upkeep import future_times
from tasks_app.upkeep.event_retention import forget_old_events
from tasks_app.upkeep.expiry import (
    delete_bytes_first,
    delete_orphaned_files,
    purge_removed_tasks,
    remove_expired_tasks,
)
from tasks_app.upkeep.hourly_and_daily import run_due_upkeep
from tasks_app.upkeep.unlocked import for_each, free, with_free_segment

logger = logging.getLogger(__name__)

# tasks per step and sweep; a woken worker serves the task that has waited longest anyway
MAX_AT_ONCE = 50
MAX_UNFIT_AT_ONCE = 10
SILENCE_SECONDS = 10  # after which a message that did not arrive is sent again

_swept_at = float("-inf")  # on this process's monotonic clock


def sweep_unless_just_done() -> None:
    """Sweep, unless this process has just done so: messages queue up while no worker is running."""
    global _swept_at  # noqa: PLW0603 - per process; it saves work and decides nothing
    if monotonic() - _swept_at >= settings.PISTON_SWEEP_SECONDS / 4:
        sweep()
        _swept_at = monotonic()


def sweep() -> None:
    """Run all steps; an error in one does not stop the others.

    When the disk is short of space, no task is woken: workers that write output would have to wait.
    """
    is_short = disk_reserve.is_short()
    waking = (
        wake_abandoned_tasks,
        wake_silent_tasks,
        wake_unfit_tasks,
        request_assemblies,
        request_settlings,
    )
    steps: tuple[Callable[[], object], ...] = (
        disk_reserve.restore,  # also after a power failure that left it empty
        *(() if is_short else (future_times.correct_future_times,)),
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


def needs_message() -> Q:
    """Return the condition that no message of a task is in flight, or that it seems to be lost."""
    return Q(dispatched_at=None) | Q(dispatched_at__lt=database_time(-SILENCE_SECONDS))


def wake_abandoned_tasks() -> None:
    """Send the message again to tasks whose worker died after their last batch."""
    unended = Task.objects.unended().filter(needs_message())
    for_each(free(unended, MAX_AT_ONCE), repeat_message)


def wake_silent_tasks() -> None:
    """Resend messages that were lost with the broker, or with a worker whose claim expired."""
    waiting = Segment.objects.claimable().values("task")
    silent = Task.objects.running().filter(needs_message(), pk__in=waiting, unfit_since=None)
    longest_waiting = silent.order_by(F("served_at").asc(nulls_first=True))
    for_each(with_free_segment(longest_waiting, MAX_AT_ONCE), repeat_message)


def wake_unfit_tasks() -> None:
    """Send messages for a few tasks that no worker could run: one that can may have started.

    Only a few are chosen, at random, so that many such tasks take no capacity from the others.
    """
    unfit = Task.objects.running().filter(needs_message(), unfit_since__isnull=False)
    for_each(free(unfit.order_by("?"), MAX_UNFIT_AT_ONCE), repeat_message)


def end_unfit_tasks() -> None:
    """End tasks whose version or action no worker has had for PISTON_UNFIT_SECONDS."""
    for_each(free(for_too_long("unfit_since"), MAX_AT_ONCE), end_unfit)


def for_too_long(since: str) -> QuerySet[Task]:
    """Return the running tasks whose time `since` is older than PISTON_UNFIT_SECONDS."""
    before = database_time(-settings.PISTON_UNFIT_SECONDS)
    return Task.objects.running().filter(**{f"{since}__lt": before}).order_by(since)


def is_still_among(tasks: QuerySet[Task], task: Task) -> bool:
    """Lock a task until the transaction ends; return whether it is among these tasks."""
    return tasks.select_for_update(no_key=True).filter(pk=task.pk).first() is not None


@transaction.atomic
def end_unfit(task: Task) -> None:
    """End a task that no worker can run, unless this one can."""
    locks.wait_briefly()
    problem = compatibility.find_problem(task)
    if problem is None or not is_still_among(for_too_long("unfit_since"), task):
        return
    differs = isinstance(problem, compatibility.VersionDiffers)
    ending = Ending.REFUSED if differs else Ending.BROKEN
    if task.end_work(ending, compatibility.describe_problem(problem)):
        if not differs:
            events.record(task, EventKind.BROKEN, events.SYSTEM, detail=str(problem))
        dispatch.request_assembly(task.pk)


def end_waiting_tasks() -> None:
    """End tasks whose action has lacked something in the database for PISTON_UNFIT_SECONDS."""
    for_each(free(for_too_long("waiting_since"), MAX_AT_ONCE), end_waiting)


@transaction.atomic
def end_waiting(task: Task) -> None:
    """End a task that has waited too long; its reason says only what kind of thing is missing."""
    locks.wait_briefly()
    if not is_still_among(for_too_long("waiting_since"), task):
        return
    kind = task.waiting_for.partition(":")[0]
    if task.end_work(Ending.BROKEN, f"the action failed: {kind}: the details are in the log"):
        events.record(task, EventKind.BROKEN, events.SYSTEM, detail=task.waiting_for)
        dispatch.request_assembly(task.pk)


def repeat_message(task: Task) -> None:
    """Send the task's newest message again; the first copy to arrive counts."""
    Task.objects.filter(needs_message(), WaitBriefly(), pk=task.pk).update(dispatched_at=Now())
    dispatch.send_wake(task.pk)


def request_assemblies() -> None:
    """Send messages for outputs that are due and that no worker is assembling."""
    due = Task.objects.awaiting_assembly().filter(needs_message())
    for_each(free(due, MAX_AT_ONCE), lambda task: dispatch.request_assembly(task.pk))


def request_settlings() -> None:
    """Send messages for people's decisions about rows, unless a worker is carrying them out."""
    decided = Effect.objects.to_carry_out().values("task")
    due = Task.objects.assembled().free().filter(needs_message(), pk__in=decided)
    for_each(free(due, MAX_AT_ONCE), lambda task: dispatch.request_settling(task.pk))


def run_periodic_jobs() -> None:
    """Run the due jobs of categories, by the minute, hour or day."""
    run_due_jobs(read_database_clock())
