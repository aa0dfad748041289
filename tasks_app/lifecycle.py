"""Starts, stops, retries and removes tasks, for the API and the admin alike.

Each function raises TaskNotFound if the task was removed meanwhile, purged or not.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Case, F, Sum, TextField, Value, When
from django.db.models.functions import Now

from piston.database import locks
from piston.database.schema import SchemaDiffers, schema
from piston.node import node_name
from tasks_app import events, quotas
from tasks_app.csv_files.verifying import describe_loss
from tasks_app.errors import (
    CannotBeRetried,
    InvalidTransition,
    TaskAlreadyStarted,
    TaskDoesNotFit,
    TaskIsNotRunning,
    TaskIsRunning,
    TaskNotFound,
)
from tasks_app.events import Actor
from tasks_app.execution import breaker, compatibility
from tasks_app.files import storage
from tasks_app.indeterminate.settling import KEEP_OLD_SECONDS
from tasks_app.models import CSVName, Effect, EventKind, Part, Task
from tasks_app.models.clock import database_time
from tasks_app.queue import dispatch
from tasks_app.states import TaskStatus

# A stopped task waits for nothing; a reason why it ends stays.
REASON_WITHOUT_PAUSE = Case(
    When(failing_since__isnull=False, ending=None, then=Value("", TextField())), default=F("reason")
)


def start(task: Task, actor: Actor) -> None:
    """Start the task.

    Raises TaskAlreadyStarted, TaskDoesNotFit when no worker could run it, and SchemaDiffers when
    this process is for another schema.
    """
    schema.require()  # outside the transaction: a refusal closes the connection
    start_pending(task, actor)


@transaction.atomic
def start_pending(task: Task, actor: Actor) -> None:
    """Move a pending task to `executing`.

    The commit makes the start final. Messages go out after it; if the broker is away, the sweeper
    sends them.
    """
    if task.status == TaskStatus.PENDING:
        check_fit(task, "create the task again")
    try:
        left = task.move_to(
            TaskStatus.EXECUTING,
            only_from=[TaskStatus.PENDING],
            started_at=Now(),
            node=node_name(),
            **dispatch.dispatched(),
        )
    except InvalidTransition as error:
        raise refusal(task, TaskAlreadyStarted(task.pk)) from error
    events.record(task, EventKind.STARTED, actor, old_status=left)
    send_first_message(task)


@transaction.atomic
def stop(task: Task, actor: Actor) -> None:
    """Stop the task between two batches, for good; raises TaskIsNotRunning.

    The commit makes its counts final: a batch in progress can no longer commit.
    """
    try:
        left = task.move_to(TaskStatus.STOPPED, ended_at=Now(), reason=REASON_WITHOUT_PAUSE)
    except InvalidTransition as error:
        raise refusal(task, TaskIsNotRunning(task.pk)) from error
    events.record(task, EventKind.STOPPED, actor, old_status=left)
    dispatch.request_assembly(task.pk)


def retry(task: Task, actor: Actor) -> None:
    """Resume a task that ended `internal_error` with the rows that are left (ADR 28).

    Outcomes stay as they are. Raises CannotBeRetried, TaskDoesNotFit, and StorageUnavailable when
    the input cannot be checked.
    """
    schema.require()
    if task.status == TaskStatus.INTERNAL_ERROR:
        check_fit(task, "send its unprocessed.csv as a new task")
        check_input(task)  # outside the transaction: the storage may be slow
    resume(task, actor)


def check_fit(task: Task, instead: str) -> None:
    """Raise TaskDoesNotFit if this installation lacks the task's action or its version."""
    problem = compatibility.find_problem(task)
    if isinstance(problem, compatibility.CategorySchemaDiffers):
        raise SchemaDiffers(problem)  # temporary
    if problem:
        why = str(problem).removesuffix(".")
        raise TaskDoesNotFit(task.pk, f"{why}; {instead}")


def check_input(task: Task) -> None:
    """Raise CannotBeRetried if one read shows that the input is missing or has changed."""
    left = task.segments.all().unfinished().order_by("index").first()
    if left is None or not left.has_input:
        return
    csv_file = task.csvs.defer(None).filter(name=CSVName.INPUT).first()
    if csv_file is None:
        raise CannotBeRetried(task.pk, "the input is missing")
    place = min(left.cursor_offset, csv_file.size_bytes - 1)
    if lost := storage.recheck(csv_file, place):
        raise CannotBeRetried(task.pk, describe_loss(csv_file, lost))


@transaction.atomic
def resume(task: Task, actor: Actor) -> None:
    """Move the task back to `executing`, as if it had not ended; the fence shuts out old claims."""
    task.lock_status()
    task.refresh_from_db()
    check_can_go_on(task)
    reason = task.reason
    task.segments.all().revoke(claimed_for="", idle_claims=0, suspect_row=None, suspect_trials=0)
    task.effects.all().forget_line_positions()
    task.csvs.exclude(name=CSVName.INPUT).update(
        task=None, kept_until=database_time(KEEP_OLD_SECONDS), is_given_up=True
    )
    left = task.move_to(
        TaskStatus.EXECUTING,
        only_from=[TaskStatus.INTERNAL_ERROR],
        ending=None,
        reason="",
        ended_at=None,
        is_assembled=False,
        unfit_since=None,
        waiting_since=None,
        waiting_for="",
        **breaker.CLOSED,
        **dispatch.dispatched(),
    )
    events.record(task, EventKind.RETRIED, actor, old_status=left, reason=reason)
    send_first_message(task)
    quotas.recount_files(task)


def check_can_go_on(task: Task) -> None:
    """Raise CannotBeRetried for a task that is not broken, or that has no rows left to run."""
    if task.status != TaskStatus.INTERNAL_ERROR:
        raise refusal(task, CannotBeRetried(task.pk))
    if not task.may_be_retried:
        raise CannotBeRetried(task.pk, "no row is left to be worked on")
    kept = Part.objects.filter(task=task).aggregate(sum=Sum("row_count", default=0))["sum"]
    if kept != task.success_count + task.failure_count:
        raise CannotBeRetried(
            task.pk, "it ended under an older release; send its unprocessed.csv as a new task"
        )
    if Effect.objects.to_carry_out().filter(task=task).exists():
        raise CannotBeRetried(task.pk, "rows of it are being settled; try again in a moment")


def remove(task: Task, actor: Actor, *, kind: EventKind = EventKind.REMOVED) -> None:
    """Hide the task; raises TaskIsRunning. The sweeper deletes its files and rows later.

    It stops counting against the account's quota at once.
    """
    with locks.request_transaction("remove", task.account_id):
        try:
            left = task.move_to(TaskStatus.REMOVED)
        except InvalidTransition as error:
            raise refusal(task, TaskIsRunning(task.pk)) from error
        events.record(task, kind, actor, old_status=left)
        quotas.uncount(task)


def send_first_message(task: Task) -> None:
    """Send the first message of a task that has just started, after the commit."""
    number = task.wake_number  # set by this move
    transaction.on_commit(lambda: dispatch.send_numbered(task.pk, number))


def refusal(task: Task, error: Exception) -> Exception:
    """Return why a move was refused; a removed task looks like a missing one."""
    return TaskNotFound(task.pk) if task.status == TaskStatus.REMOVED else error
