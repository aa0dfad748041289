"""Runs one slice: from a message, through the claim and the batches, to the next message.

batches.py runs a batch, scheduling.py chooses the segment, ledger.py writes the commit.
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
from categories.errors import ActionWaits, CategoryError
from categories.running import permission
from categories.running.failures import storable
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
    claiming,
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
from tasks_app.models.durability import AsynchronousCommit
from tasks_app.queue import dispatch
from tasks_app.states import Ending

logger = logging.getLogger(__name__)

# Neither a row nor the action caused these errors: the segment is released and tried again later.
POSTPONING_ERRORS = (StorageUnavailable, DiskFull, LedgerRefused, Error)

MAX_IDLE_CLAIMS = 30  # consecutive claims without a commit; then the task ends as broken


def run_slice(message_task_id: str, message_id: str) -> str | None:
    """Work for about a second on the next segment in turn, which may belong to any task.

    Returns the id of a task whose output is due, or None.
    """
    # 1. Run no row while the disk is full.
    if disk_reserve.is_short():
        logger.warning("Tasks have to wait, no row is to blame: %s", disk_reserve.REASON)
        return None  # the sweeper resends the message when there is room
    # 2. Complete the message's own task if all its rows are done.
    complete_unended(message_task_id)
    # 3. Claim the next segment in turn.
    until = monotonic() + settings.PISTON_SLICE_MILLISECONDS / 1000
    segment = claim_next(message_id)
    if segment is None:
        compatibility.leave_if_incompatible(message_task_id)
        return None
    try:
        if segment.task_id != message_task_id:
            compatibility.leave_if_incompatible(message_task_id)
        with registry.unchanged():
            # 4. Find the action and ask it for permission.
            run = prepare(segment)
            # 5. Run batches until the time is up, and release the claim.
            if run is not None:
                work_until(until, run)
        segment.release()
        if run is None and compatibility.find_problem(segment.task):
            # Another worker may be able to run it: the sweeper resends the message, but later.
            return None
    # 6. If the claim was overtaken or the rows have to wait, release the segment.
    except ClaimLost:
        logger.info("Claim %s on %s was overtaken", segment.claim, segment)
        pending_releases.add(segment.release_or_uncount)  # after a stop, the claim is still ours
    except (ActionWaits, *POSTPONING_ERRORS) as error:
        postpone(segment, error)
        return None
    # 7. Send messages for the remaining work.
    for task_id in {segment.task_id, message_task_id}:
        dispatch.wake(task_id)
    return segment.task_id if is_due(segment.task_id) else None


def is_due(task_id: str) -> bool:
    """Say whether the task's output is to be assembled."""
    return Task.objects.awaiting_assembly().filter(pk=task_id).exists()


def complete_unended(task_id: str) -> None:
    """Complete the message's own task if it has no rows left.

    A lock or a failed storage delays only this task: the slice goes on with others. Raises a
    database error that is not a lock, because it affects every task.
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
    """Claim the next segment in turn; None when there is nothing to do, or no database.

    If the answer to the commit of a claim was lost, release that claim now. Otherwise it would
    expire later and count as a worker's death.
    """
    is_claiming = False
    try:
        pending_releases.finish()
        is_claiming = True
        return claiming.claim_next(message_id, settings.PISTON_CLAIM_SECONDS)
    except Error as error:
        log_failure("Nothing could be claimed", error)
        connection.close()
        if is_claiming:
            pending_releases.add(partial(claiming.release_claims, message_id))
        return None


def release_cancelled(message_id: str, process_id: int) -> None:
    """Release the claim of a process of this host that its parent ended on purpose.

    The parent does so when it loses its connection to the broker, and when a shutdown takes too
    long. No row has killed that process.
    """
    pending_releases.add_for_later(partial(claiming.release_claims, message_id, process_id))


def postpone(segment: Segment, error: Exception) -> None:
    """Release a segment whose rows have to wait, through no fault of a row."""
    if isinstance(error, ActionWaits):
        waiting.wait(segment, error)
        return
    log_failure(f"{segment} has to wait, no row is to blame", error)
    if isinstance(error, DiskFull):
        try_fewer_rows(segment)
    release_after_trouble(segment)


def try_fewer_rows(segment: Segment) -> None:
    """Shrink the next batch: the disk may have room for the output of fewer rows."""
    with suppress(DatabaseError, InterfaceError):
        Segment.objects.fence(segment).update(
            batch_size=max(1, segment.batch_size // SHRINK_FACTOR)
        )


def prepare(segment: Segment) -> Run | None:
    """Find the action and ask it for permission; None when this ended the task.

    Also None when this process can no longer run the action: other workers take the task.
    """
    task = segment.task
    if segment.idle_claims > MAX_IDLE_CLAIMS:
        segment.end_work(Ending.BROKEN, f"no progress in {segment.idle_claims - 1} attempts")
        return None
    try:
        action_class = compatibility.get_action(task)
    except CategoryError:
        return None
    if not segment.is_done and (full := quotas.describe_full_output(task)):
        segment.end_work(Ending.CUT_SHORT, full)
        return None
    seconds = claim_seconds(action_class)
    if seconds > settings.PISTON_CLAIM_SECONDS:
        segment.hold(seconds)
    run = Run(segment, action_class(), context_of(task))
    return run if is_permitted(run) else None


def is_permitted(run: Run) -> bool:
    """Ask the action for permission, once, before the first row; a refusal ends the task."""
    if run.task.is_permitted or type(run.action).permitted is Action.permitted:
        return True  # it was asked before, or its action defines no `permitted`
    try:
        with action_errors():
            refusal = find_refusal(run)
    except ActionBroken as error:
        ending.end_as_broken(run.segment, str(error), error.detail)
        return False
    if refusal is not None:
        run.segment.end_work(Ending.REFUSED, refusal)
        return False
    # This write may get lost: the action is then asked again, unless a row was committed by then.
    Task.objects.running().filter(AsynchronousCommit(), pk=run.task.pk).update(is_permitted=True)
    return True


def find_refusal(run: Run) -> str | None:
    """Return why the action refuses the task; None when it permits it."""
    try:
        permission.ask(run.action, run.context)
    except Refused as refused:
        return storable(refused.reason)
    return None


def work_until(until: float, run: Run) -> None:
    """Run batches until the time is up or the segment is done; a broken action ends the task.

    The segment's last batch runs even after the time is up: another claim for a few rows would
    take longer.
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
        connection.close()  # a time-out may have interrupted a query
        ending.end_as_broken(run.segment, str(error), error.detail)
    if run.segment.is_done:
        ending.complete(run)


def try_to_complete(task_id: str) -> None:
    """Complete a task whose worker died after its last batch; do nothing for any other task.

    Each attempt is counted before it starts. So a `finish` that kills its workers ends the task as
    broken after MAX_IDLE_CLAIMS attempts.
    """
    segment = next(iter(UNENDED.fetch(task_id=task_id)), None)
    if segment is None or compatibility.find_problem(segment.task):
        return
    Segment.objects.filter(pk=segment.pk).update(idle_claims=F("idle_claims") + 1)
    try:
        segment.refresh_from_db(fields=["idle_claims"])
    except Segment.DoesNotExist:  # the task was purged in the meantime
        return
    try:
        with registry.unchanged():
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


# Compiled because every message runs this query before it claims a segment.
UNENDED = CompiledSelect(
    lambda: (
        Segment.objects.filter(task__in=Task.objects.unended(), task=Slot.text("task_id"))
        .select_related("task")
        .order_by("-pk")[:1]
    )
)
