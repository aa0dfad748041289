"""How do parts become the output files and the final status? In one transaction, safe to repeat."""

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
from tasks_app.execution import external, unanswered
from tasks_app.files import storage, task_files
from tasks_app.models import CSVName, Effect, EventKind, Part, Task, TaskCSV
from tasks_app.queue import dispatch
from tasks_app.states import Ending, TaskStatus, final_status

logger = logging.getLogger(__name__)

SMALL_BYTES = 2**20  # of output: written in less time than a slice takes
MAX_VERIFIED_BYTES = 64 * 2**20  # of input: read in less time than that


def assemble_soon(task_id: str) -> None:
    """Assemble a small output now; a larger one as a message of its own, after those that wait.

    So does a large input, which is verified before.
    """
    is_small = Task.objects.filter(pk=task_id, output_bytes__lte=SMALL_BYTES)
    if is_small.exclude(csvs__size_bytes__gt=MAX_VERIFIED_BYTES).exists():
        assemble(task_id)
    else:
        dispatch.request_assembly(task_id)


def assemble(task_id: str) -> None:
    """Write a task's output files from its parts and give it its final status.

    Does nothing when it is not due, or when somebody else is at it. Whoever is
    cut off in the middle leaves files that no task refers to; the sweeper
    deletes those and sends for another attempt.
    """
    task = Task.objects.awaiting_assembly().filter(pk=task_id).first()
    if task is None or external.is_in_flight(task):
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
    """Assemble the task unless somebody else is at it; raises ClaimLost when overtaken."""
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
    """Become the only one to assemble the task, and read its counts; False when somebody else is.

    The task carries the claim's number from then on.
    """
    if not Task.objects.awaiting_assembly().take(task, settings.PISTON_CLAIM_SECONDS):
        return False
    try:
        task.refresh_from_db(from_queryset=Task.objects.fence(task))
    except Task.DoesNotExist:  # it was overtaken at once, or removed and purged
        return False
    return True


def renew(task: Task) -> bool:
    """Stay the only one to assemble the task; False when the claim was overtaken."""
    return Task.objects.unassembled().renew(task, settings.PISTON_CLAIM_SECONDS)


def check_input(task: Task) -> None:
    """See that the input of a complete task is still the one that was uploaded.

    Its rows were run from bytes that were; but who looks for them in in.csv would find others.
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
    """Let a task that seemed complete end as a broken one."""
    mine = Task.objects.fence(task).filter(ending=Ending.COMPLETED)
    if mine.update(ending=Ending.BROKEN, reason=reason):
        events.record(task, EventKind.BROKEN, events.SYSTEM, detail=detail)


def write_file(task: Task, name: CSVName) -> TaskCSV:
    """Write one output file to storage; it belongs to no task yet."""
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
    """Give the files to the task, end it, and drop the parts: all of it or nothing.

    A broken task with rows left keeps its parts: they are what its output is made of when it is
    retried (ADR 28).
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
        record_places(task, written)
    if not task.may_be_retried:
        Part.objects.filter(task=task).delete()
    quotas.recount_files(task)
    logger.info("Task %s ended: %s", task.pk, task.status)


def record_places(task: Task, written: list[TaskCSV]) -> None:
    """Write down where the lines of indeterminate rows stand, for those who settle them."""
    output = next(csv_file for csv_file in written if csv_file.name == CSVName.OUTPUT)
    in_parts = Part.objects.filter(task=task).aggregate(sum=Sum("output_bytes", default=0))["sum"]
    Effect.objects.all().record_places(
        task.pk,
        output_start=output.size_bytes - in_parts,
        failed_start=len(task_files.header_line(task, CSVName.FAILED)),
    )


class RenewingStream:
    """The bytes of an output file; reading them keeps the writer's claim alive."""

    def __init__(self, blocks: Iterator[bytes], renew: Callable[[], bool]) -> None:
        self.blocks = blocks
        self.renew = renew  # answers False when the claim was overtaken
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
