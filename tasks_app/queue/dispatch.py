"""Chooses when a task gets a message: at most one valid message per task, sent after the commit."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from piston.database import locks
from piston.database.compiled_queries import CompiledSelect, CompiledUpdate, Slot
from piston.database.locks import WaitBriefly
from tasks_app.models import Segment, Task
from tasks_app.models.durability import AsynchronousCommit
from tasks_app.queue import sending

RUN_SLICE = "tasks_app.run_slice"
ASSEMBLE_OUTPUT = "tasks_app.assemble_output"
SETTLE_ROWS = "tasks_app.settle_rows"
OF_TASKS = (RUN_SLICE, ASSEMBLE_OUTPUT, SETTLE_ROWS)  # their first argument is a task's id


def wake(task_id: str) -> None:
    """Send a message for a running task with work to do, unless one is already on its way."""
    if WORK.fetch(task_id=task_id) and locks.unless_locked(
        Task, task_id, lambda: WAKE.run(task_id=task_id)
    ):
        transaction.on_commit(lambda: send_wake(task_id))


def dispatched() -> dict[str, Any]:
    """Return the changes to a task for which a new message is sent."""
    return {"wake_number": F("wake_number") + 1, "dispatched_at": Now()}


def send_wake(task_id: str) -> None:
    """Send the task's newest message, or send it again; the first copy to arrive counts."""
    number = Task.objects.filter(pk=task_id).values_list("wake_number", flat=True).first()
    if number is not None:
        send_numbered(task_id, number)


def send_numbered(task_id: str, number: int) -> None:
    """Send the message that has this number."""
    sending.send(RUN_SLICE, task_id, number)


def receive(task_id: str, number: int) -> bool:
    """Record that a message has arrived; False for a copy that is out of date.

    So messages cannot multiply, however often a broker or the sweeper repeats them. Also False
    when the task is locked: the sweeper sends the message again after that.
    """
    take_note = partial(RECEIVE.run, task_id=task_id, number=number)
    return bool(locks.unless_locked(Task, task_id, take_note))


def request_assembly(task_id: str) -> None:
    """Request the assembly of a task's output."""
    Task.objects.filter(WaitBriefly(), pk=task_id).update(dispatched_at=Now())
    transaction.on_commit(lambda: send_assemble(task_id))


def send_assemble(task_id: str) -> None:
    """Send the message that requests the assembly."""
    sending.send(ASSEMBLE_OUTPUT, task_id)


def request_settling(task_id: str) -> None:
    """Request that staff's decisions about rows of an ended task are carried out."""
    Task.objects.filter(WaitBriefly(), pk=task_id).update(dispatched_at=Now())
    transaction.on_commit(lambda: send_settle(task_id))


def send_settle(task_id: str) -> None:
    """Send the message that requests it."""
    sending.send(SETTLE_ROWS, task_id)


TASK = Slot.text("task_id")
WORK = CompiledSelect(lambda: Segment.objects.claimable().with_room().filter(task=TASK)[:1])
WAKE = CompiledUpdate(
    lambda: Task.objects.running().filter(WaitBriefly(), pk=TASK, dispatched_at=None),
    **dispatched(),
)
RECEIVE = CompiledUpdate(
    lambda: Task.objects.filter(
        AsynchronousCommit(),  # the sweeper would send the message again
        WaitBriefly(),
        pk=TASK,
        wake_number=Slot.number("number"),
        dispatched_at__isnull=False,
    ),
    dispatched_at=None,
)
