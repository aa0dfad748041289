"""The course of a slice, from the message to the next message: `run_slice` has its steps.

A batch within it is in batches.py, whose turn it is in scheduling.py, the commit in ledger.py.
"""

from __future__ import annotations

import logging
from contextlib import closing, suppress
from functools import partial
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, Error, InterfaceError, connection
from django.db.models import F

from categories import registry
from categories.contract import Action, Refused
from categories.errors import ActionWaits
from piston import disk_reserve
from piston.database import locks
from piston.database.compiled_queries import CompiledSelect, Slot
from piston.database.failures import log_failure
from piston.disk_reserve import DiskFull
from tasks_app import quotas
from tasks_app.errors import (
    ActionBroken,
    ClaimLost,
    LedgerRefused,
    StorageUnavailable,
    StoredFileMissing,
)
from tasks_app.execution import (
    batch_size,
    batches,
    compatibility,
    ending,
    scheduling,
    waiting,
)
from tasks_app.execution.blame import action_errors
from tasks_app.execution.poison_rows import SHRINK_FACTOR
from tasks_app.execution.releasing import pending_releases, release_after_trouble
from tasks_app.execution.runs import Run, claim_seconds, context_of
from tasks_app.models import Segment, Task
from tasks_app.models.durability import NeedNotLast
from tasks_app.queue import dispatch
from tasks_app.states import Ending

logger = logging.getLogger(__name__)

# No row and no action is to blame for these: the work is handed back, or has to wait.
POSTPONING_ERRORS = (StorageUnavailable, DiskFull, LedgerRefused, Error)

MAX_IDLE_CLAIMS = 30  # claims in a row without a commit, before the task is given up


def run_slice(message_task_id: str, message_id: str) -> str | None:
    """Work for about a second on the segment whose turn it is, whichever task woke the worker.

    Returns the id of a task whose output is due, or None.
    """
    # 1. Run no row while the disk is full.
    if disk_reserve.is_short():
        logger.warning("Tasks have to wait, no row is to blame: %s", disk_reserve.REASON)
        return None  # the sweeper sends again when there is room
    # 2. End the message's own task, if only its end is missing.
    complete_unended(message_task_id)
    # 3. Claim the segment whose turn it is.
    until = monotonic() + settings.PISTON_SLICE_MILLISECONDS / 1000
    segment = claim_next(message_id)
    if segment is None:
        compatibility.leave_if_incompatible(message_task_id)
        return None
    try:
        if segment.task_id != message_task_id:
            compatibility.leave_if_incompatible(message_task_id)
        # 4. Find the action and ask its permission.
        run = prepare(segment)
        if run is None and compatibility.find_problem(segment.task):
            segment.release()
            return None  # another worker may fit: the sweeper sends again soon, not at once
        # 5. Run batches until the time is up, and release the claim.
        if run is not None:
            work_until(until, run)
        segment.release()
    # 6. Or hand the work back: another claim is newer, or the rows have to wait.
    except ClaimLost:
        logger.info("Claim %s on %s was overtaken", segment.claim, segment)
        pending_releases.add(
            segment.release_or_uncount
        )  # it may be ours still: a stop overtakes a worker, too
    except (ActionWaits, *POSTPONING_ERRORS) as error:
        postpone(segment, error)
        return None
    # 7. Send for what is left.
    for task_id in {segment.task_id, message_task_id}:
        dispatch.wake(task_id)
    return segment.task_id if is_due(segment.task_id) else None


def is_due(task_id: str) -> bool:
    """Say whether the task's output is to be assembled."""
    return Task.objects.awaiting_assembly().filter(pk=task_id).exists()


def complete_unended(task_id: str) -> None:
    """End the message's own task if it has no rows left.

    What that has to wait for holds up no other task. Raises an error that the database has for all.
    """
    try:
        try_to_complete(task_id)
    except ClaimLost:
        logger.info("The end of task %s was overtaken", task_id)
    except POSTPONING_ERRORS as error:
        if isinstance(error, Error) and not locks.is_locked(error):
            raise
        log_failure(f"The end of task {task_id} has to wait", error)


def claim_next(message_id: str) -> Segment | None:
    """Claim the segment whose turn it is; None when there is nothing to do, or no database.

    A claim that was committed without our learning of it is given back: else it
    would have to expire, and count as a worker's death.
    """
    is_claiming = False
    try:
        pending_releases.finish()
        is_claiming = True
        return scheduling.claim_next(message_id, settings.PISTON_CLAIM_SECONDS)
    except Error as error:
        log_failure("Nothing could be claimed", error)
        connection.close()
        if is_claiming:
            pending_releases.add(partial(scheduling.release_claims, message_id))
        return None


def release_cancelled(message_id: str, process_id: int) -> None:
    """Give back what a process of this host had claimed when its parent ended it on purpose.

    That is done when the connection to the broker is lost, and at a stop that lasts too long.
    No row has killed that process.
    """
    pending_releases.add_for_later(partial(scheduling.release_claims, message_id, process_id))


def postpone(segment: Segment, error: Exception) -> None:
    """Give a segment back whose rows have to wait; none of them is to blame."""
    if isinstance(error, ActionWaits):
        waiting.wait(segment, error)
        return
    log_failure(f"{segment} has to wait, no row is to blame", error)
    if isinstance(error, DiskFull):
        try_fewer_rows(segment)
    release_after_trouble(segment)


def try_fewer_rows(segment: Segment) -> None:
    """Let the next batch be smaller: there may be room for the output of some of its rows."""
    with suppress(DatabaseError, InterfaceError):
        Segment.objects.fence(segment).update(
            batch_size=max(1, segment.batch_size // SHRINK_FACTOR)
        )


def prepare(segment: Segment) -> Run | None:
    """Find the action and ask its permission; None when that ended the task.

    None also when what this process can run has just changed: the task is left to others.
    """
    task = segment.task
    if segment.idle_claims > MAX_IDLE_CLAIMS:
        segment.end_work(Ending.BROKEN, f"no progress in {segment.idle_claims - 1} attempts")
        return None
    if compatibility.find_problem(task):
        return None
    _, action_class = registry.get_action(task.category, task.action)
    if not segment.is_done and (full := quotas.describe_full_output(task)):
        segment.end_work(Ending.CUT_SHORT, full)
        return None
    seconds = claim_seconds(action_class)
    if seconds > settings.PISTON_CLAIM_SECONDS:
        segment.hold(seconds)
    run = Run(segment, action_class(), context_of(task))
    return run if is_permitted(run) else None


def is_permitted(run: Run) -> bool:
    """Ask the action, once, before the first row; a refusal ends the task."""
    if run.task.is_permitted or type(run.action).permitted is Action.permitted:
        return True  # it was asked, or has nothing to say
    try:
        with action_errors():
            refusal = find_refusal(run)
    except ActionBroken as error:
        ending.end_as_broken(run.segment, str(error), error.detail)
        return False
    if refusal is not None:
        run.segment.end_work(Ending.REFUSED, refusal)
        return False
    # or it is asked again; no row that is committed forgets it
    Task.objects.running().filter(NeedNotLast(), pk=run.task.pk).update(is_permitted=True)
    return True


def find_refusal(run: Run) -> str | None:
    """Return why the action does not permit the task; None: it does."""
    try:
        run.action.permitted(run.context)
    except Refused as refused:
        return refused.reason
    return None


def work_until(until: float, run: Run) -> None:
    """Run batches until the time is up or the segment is done; a broken action ends the task.

    The segment's last batch is run even so: another claim for a few rows would take longer.
    """
    if not run.action.ordered:
        dispatch.wake(run.task.pk)  # other workers may join
    new_tasks = scheduling.NewTasks(run.task.account_id)
    try:
        with closing(run):
            while not run.segment.is_done and batches.run_next_batch(run):
                is_over = monotonic() > until and not batch_size.is_last(run)
                if is_over or new_tasks.are_waiting():
                    break
    except StoredFileMissing as error:
        ending.end_without_input(run, error)
    except ActionBroken as error:
        connection.close()  # a time-out may have struck in the middle of a query
        ending.end_as_broken(run.segment, str(error), error.detail)
    if run.segment.is_done:
        ending.complete(run)


def try_to_complete(task_id: str) -> None:
    """Complete a task whose worker died between its last batch and the end, if it is one.

    Each attempt is counted before it is made: a `finish` that kills its worker is given up.
    """
    segment = next(iter(UNENDED.fetch(task_id=task_id)), None)
    if segment is None or compatibility.find_problem(segment.task):
        return
    Segment.objects.filter(pk=segment.pk).update(idle_claims=F("idle_claims") + 1)
    try:
        segment.refresh_from_db(fields=["idle_claims"])
    except Segment.DoesNotExist:  # the task was removed, and purged at once
        return
    try:
        run = prepare(segment)
        if run is not None:
            ending.complete(run)
    except ActionWaits as error:
        waiting.wait(segment, error)
        return
    except POSTPONING_ERRORS:
        release_after_trouble(segment)
        raise
    segment.release()
    if is_due(task_id):
        dispatch.request_assembly(task_id)


# Compiled: each message asks, before it claims anything.
UNENDED = CompiledSelect(
    lambda: (
        Segment.objects.filter(task__in=Task.objects.unended(), task=Slot.text("task_id"))
        .select_related("task")
        .order_by("-pk")[:1]
    )
)
