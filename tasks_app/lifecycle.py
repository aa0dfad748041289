"""What can people do to a task? Start, stop, remove it; the API and the admin call the same.

Each raises TaskNotFound for a task that was removed meanwhile, whether it was purged or not.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from piston.node import node_name
from piston.schema import schema
from tasks_app import dispatch, events, fitting, quotas
from tasks_app.errors import (
    InvalidTransition,
    TaskAlreadyStarted,
    TaskDoesNotFit,
    TaskIsNotRunning,
    TaskIsRunning,
    TaskNotFound,
)
from tasks_app.events import Actor
from tasks_app.models import EventKind, Task
from tasks_app.states import TaskStatus


@transaction.atomic
def start(task: Task, actor: Actor) -> None:
    """Let the task run; raises TaskAlreadyStarted, or TaskDoesNotFit: nobody could work on it.

    Raises SchemaDiffers when this process is for another schema.

    The start stands once this is committed. Messages go out afterwards, and if
    the broker is away the sweeper sends them.
    """
    schema.require()
    if task.status == TaskStatus.PENDING and (problem := fitting.find_problem(task)):
        why = str(problem).removesuffix(".")
        raise TaskDoesNotFit(task.pk, f"{why}; create the task again")
    try:
        left = task.move_to(
            TaskStatus.EXECUTING, started_at=Now(), node=node_name(), **dispatch.dispatched()
        )
    except InvalidTransition as error:
        raise refusal(task, TaskAlreadyStarted(task.pk)) from error
    events.record(task, EventKind.STARTED, actor, old_status=left)
    number = task.wake_number  # as this start has set it
    transaction.on_commit(lambda: dispatch.send_numbered(task.pk, number))


@transaction.atomic
def stop(task: Task, actor: Actor) -> None:
    """End the task between two batches, for good; raises TaskIsNotRunning.

    Its counts are final when this is committed: a batch under way can no longer commit.
    """
    try:
        left = task.move_to(TaskStatus.STOPPED, ended_at=Now())
    except InvalidTransition as error:
        raise refusal(task, TaskIsNotRunning(task.pk)) from error
    events.record(task, EventKind.STOPPED, actor, old_status=left)
    dispatch.request_assembly(task.pk)


@transaction.atomic
def remove(task: Task, actor: Actor, *, kind: EventKind = EventKind.REMOVED) -> None:
    """Take the task out of sight; raises TaskIsRunning. The sweeper deletes its files and rows.

    It counts for its account no more, however long that takes.
    """
    try:
        left = task.move_to(TaskStatus.REMOVED)
    except InvalidTransition as error:
        raise refusal(task, TaskIsRunning(task.pk)) from error
    events.record(task, kind, actor, old_status=left)
    quotas.uncount(task)


def refusal(task: Task, error: Exception) -> Exception:
    """Return why a move was refused; a removed task looks like a missing one."""
    return TaskNotFound(task.pk) if task.status == TaskStatus.REMOVED else error
