"""Assembles a task's parts into its output files and gives it its final status; safe to repeat."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import F, Sum
from django.db.models.functions import Now

from piston.database import locks
from piston.database.locks import WaitBriefly
from tasks_app import events, quotas
from tasks_app.csv_files.verifying import describe_loss
from tasks_app.errors import ClaimLost, StorageUnavailable, StoredFileMissing
from tasks_app.execution import unanswered
from tasks_app.files import storage, task_files
from tasks_app.models import CSVName, Effect, EventKind, Part, Task, TaskCSV
from tasks_app.queue import dispatch
from tasks_app.states import Ending, TaskStatus, final_status

logger = logging.getLogger(__name__)

SMALL_BYTES = 2**20  # of output; writing it takes less time than a slice
MAX_VERIFIED_BYTES = 64 * 2**20  # of input; reading it takes less time than a slice


def assemble_soon(task_id: str) -> None:
    """Assemble a small output now, and a large one through a message of its own.

    That message queues behind those already waiting. A large input also gets one, because it is
    verified first.
    """
    is_small = Task.objects.filter(pk=task_id, output_bytes__lte=SMALL_BYTES)
    if is_small.exclude(csvs__size_bytes__gt=MAX_VERIFIED_BYTES).exists():
        assemble(task_id)
    else:
        dispatch.request_assembly(task_id)


def assemble(task_id: str) -> None:
    """Write a task's output files from its parts and give it its final status.

    Does nothing when the assembly is not due, or another worker has claimed it. A worker that is
    cut off halfway leaves files that no task refers to. The sweeper deletes them and requests
    another attempt.
    """
    task = Task.objects.awaiting_assembly().filter(pk=task_id).first()
    if task is None or unanswered.is_in_flight(task):
        return
    try:
        storage.check_room(task.output_bytes)
        assemble_claimed(task)
    except ClaimLost:
        logger.info("The assembly of %s was overtaken", task.pk)
    except (StorageUnavailable, OperationalError) as error:
        if isinstance(error, OperationalError) and not locks.is_locked(error):
            raise
        logger.warning("The output of %s has to wait: %s", task.pk, error)


def assemble_claimed(task: Task) -> None:
    """Assemble the task unless another worker has claimed that; raises ClaimLost when overtaken."""
    unanswered.settle(task)
    if not claim(task):
        return
    check_input(task)
    written = [
        write_file(task, name)
        for name in (CSVName.OUTPUT, CSVName.FAILED)
        if name is CSVName.OUTPUT or task_files.has_failed_rows(task)
    ]
    hand_over(task, written)


def claim(task: Task) -> bool:
    """Claim the assembly of the task and read its counts; False when another worker holds it.

    The task carries the claim's number from then on.
    """
    if not Task.objects.awaiting_assembly().take(task, settings.PISTON_CLAIM_SECONDS):
        return False
    try:
        task.refresh_from_db(from_queryset=Task.objects.fence(task))
    except Task.DoesNotExist:  # the claim was overtaken, or the task purged
        return False
    return True


def renew(task: Task) -> bool:
    """Renew the claim on the assembly; False when it was overtaken."""
    return Task.objects.unassembled().renew(task, settings.PISTON_CLAIM_SECONDS)


def check_input(task: Task) -> None:
    """Verify that the input of a completed task still has the bytes that were uploaded.

    Its rows ran from verified bytes. But if in.csv has changed since, its reader finds other rows.
    """
    if task.ending != Ending.COMPLETED:
        return
    for csv_file in task.csvs.defer(None).filter(name=CSVName.INPUT):
        blocks = storage.read_range(csv_file, 0, csv_file.size_bytes)
        stream = RenewingStream(blocks, partial(renew, task))
        try:
            while stream.read():
                pass
        except StoredFileMissing as error:
            logger.warning("The input of %s was lost: %s", task.pk, error)
            mark_broken(task, describe_loss(csv_file, error), str(error))


@transaction.atomic
def mark_broken(task: Task, reason: str, detail: str) -> None:
    """End a task as broken although all its rows are done."""
    mine = Task.objects.fence(task).filter(ending=Ending.COMPLETED)
    if mine.update(ending=Ending.BROKEN, reason=reason):
        events.record(task, EventKind.BROKEN, events.SYSTEM, detail=detail)


def write_file(task: Task, name: CSVName) -> TaskCSV:
    """Write one output file to storage; `hand_over` gives it to the task."""
    csv_file = storage.reserve(task.pk, name)
    ranges = task_files.parts_ranges(task, name)
    whole = task_files.DownloadableFile(name, "", ranges)
    stay = partial(renew, task)
    storage.save(csv_file, RenewingStream(whole.read(), stay), while_storing=stay)
    row_count = task.success_count + task.failure_count
    if name is CSVName.FAILED:
        row_count = task.failure_count - task.indeterminate_count
    csv_file.row_count = row_count
    return csv_file


@transaction.atomic
def hand_over(task: Task, written: list[TaskCSV]) -> None:
    """Give the files to the task, end it and delete the parts, in one transaction.

    A broken task with rows left keeps its parts: a retry builds its output from them (ADR 28).
    """
    due = Task.objects.unassembled().visible().filter(WaitBriefly())
    if not due.release(task, is_assembled=True, revision=F("revision") + 1):
        raise ClaimLost
    for csv_file in written:
        if (
            not TaskCSV.objects.unfinished()
            .filter(pk=csv_file.pk)
            .update(task=task, kept_until=None, row_count=csv_file.row_count)
        ):
            raise ClaimLost
    task.refresh_from_db()
    if task.status == TaskStatus.EXECUTING:
        status = final_status(
            Ending(task.ending or Ending.BROKEN),
            success_count=task.success_count,
            failure_count=task.failure_count,
            left_count=task.left_count,
        )
        task.move_to(status, only_from=[TaskStatus.EXECUTING], ended_at=Now())
        events.record(
            task,
            EventKind.ENDED,
            events.SYSTEM,
            old_status=TaskStatus.EXECUTING,
            reason=task.reason,
        )
    if task.indeterminate_count:
        record_line_positions(task, written)
    if not task.may_be_retried:
        Part.objects.filter(task=task).delete()
    quotas.recount_files(task)
    logger.info("Task %s ended: %s", task.pk, task.status)


def record_line_positions(task: Task, written: list[TaskCSV]) -> None:
    """Record the positions of the lines of indeterminate rows, for those who settle them."""
    output = next(csv_file for csv_file in written if csv_file.name == CSVName.OUTPUT)
    in_parts = Part.objects.filter(task=task).aggregate(sum=Sum("output_bytes", default=0))["sum"]
    Effect.objects.all().record_line_positions(
        task.pk,
        output_start=output.size_bytes - in_parts,
        failed_start=len(task_files.header_line(task, CSVName.FAILED)),
    )


class RenewingStream:
    """A stream of a file's bytes; reading it renews the claim on the assembly."""

    def __init__(self, blocks: Iterator[bytes], renew: Callable[[], bool]) -> None:
        self.blocks = blocks
        self.renew = renew  # returns False when the claim was overtaken
        self.rest = b""
        self.renewed_at = monotonic()

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; raises ClaimLost when another writer took over."""
        if monotonic() - self.renewed_at > settings.PISTON_CLAIM_SECONDS / 4:
            self.renewed_at = monotonic()
            if not self.renew():
                raise ClaimLost
        if not self.rest:
            self.rest = next(self.blocks, b"")
        if size < 0:
            size = len(self.rest)
        block, self.rest = self.rest[:size], self.rest[size:]
        return block
