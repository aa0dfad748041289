"""Celery entry points: each takes a message's arguments and calls one function."""

from __future__ import annotations

import logging

from celery import Task as CeleryTask
from celery import shared_task

from categories.running import callers
from tasks_app.execution import assembly, worker
from tasks_app.files import storage_check
from tasks_app.indeterminate import carrying_out
from tasks_app.queue import dispatch, sending
from tasks_app.upkeep import hourly_and_daily, sweeping

logger = logging.getLogger(__name__)

HOUR = 3_600  # seconds


def release_cancelled(_task: CeleryTask, message_id: str, process_id: int) -> None:
    """Note, in the pool's parent, that the pool has ended the process that ran a slice."""
    worker.release_cancelled(message_id, process_id)


@shared_task(name=dispatch.RUN_SLICE, bind=True, on_cancelled=release_cancelled)
def run_slice(self: CeleryTask, task_id: str, number: int) -> None:
    """Work on a task for one slice; if work is left, ask for the next."""
    is_redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
    with sending.requeued_without_database():
        if dispatch.receive(task_id, number) or is_redelivered:
            due = worker.run_slice(task_id, self.request.id)
            if due:
                assembly.assemble_soon(due)
    if callers.are_stuck():
        logger.warning("A row that takes too long cannot be ended: this process is replaced")
        raise SystemExit(0)  # the pool reports the message's end first, then starts another process


# acknowledged at once: it may take longer than a broker waits, and the sweeper sends it again
@shared_task(name=dispatch.ASSEMBLE_OUTPUT, time_limit=12 * HOUR, acks_late=False)
def assemble_output(task_id: str) -> None:
    """Write a task's output files and end it."""
    with sending.left_to_sweeper():
        assembly.assemble(task_id)


# as above: it may rewrite a large file, and the sweeper sends it again if it is cut off
@shared_task(name=dispatch.SETTLE_ROWS, time_limit=12 * HOUR, acks_late=False)
def settle_rows(task_id: str) -> None:
    """Carry out the decisions of staff about a task's indeterminate rows."""
    with sending.left_to_sweeper():
        carrying_out.carry_out(task_id)


@shared_task(name="tasks_app.sweep")
def sweep() -> None:
    """Repair what was cut off."""
    sweeping.sweep_unless_just_done()


# as above: a storage with millions of files takes minutes
@shared_task(name=hourly_and_daily.CHECK_STORAGE, time_limit=12 * HOUR, acks_late=False)
def check_storage() -> None:
    """Look for files without a row, and rows without a file."""
    storage_check.run_daily_check()
