"""Creates tasks: one transaction for the task, its segments and its event."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from categories.contract import Action, Category, Effects
from categories.running.callers import window_size
from piston.accounts.models import Account
from piston.database import locks
from piston.readable import Readable
from tasks_app import events, quotas
from tasks_app.csv_files import blocks
from tasks_app.csv_files.scanning import Scan
from tasks_app.errors import (
    StorageUnavailable,
    UnexpectedContent,
)
from tasks_app.events import Actor
from tasks_app.files import storage
from tasks_app.models import CSVName, EventKind, Segment, Task, TaskCSV
from tasks_app.models.task import new_task_id
from tasks_app.storing_uploads import QuotaStream, give_up, store_and_scan

logger = logging.getLogger(__name__)

MAX_SEGMENTS = 64  # of a parallel action; several per worker, so that all workers end together


@dataclass(frozen=True)
class Order:
    """Which action to run, for which account, and who requests it."""

    account: Account
    auth_account: Account
    category: type[Category]
    action: type[Action]
    actor: Actor
    file_name: str | None = None
    authorize_again: Callable[[], None] = lambda: None  # raises if access ended during the upload


def submit_without_input(order: Order) -> Task:
    """Create a task for an action that takes no input; raises UnexpectedContent for others."""
    if order.action.takes_input:
        raise UnexpectedContent("text/csv")
    quotas.check_room(order.account.pk)
    with locks.request_transaction("create", order.account.pk):
        task = create_task(order, new_task_id(), total_count=None)
        Segment.objects.create(task=task, index=0)
        quotas.count_task(task)
    return task


def submit_csv(order: Order, body: Readable, *, length: int | None = None) -> Task:
    """Create a task from a CSV that is read block by block, scanned and stored in one pass.

    `length` is the size in bytes, if known: a file over the quota is refused at once.

    Raises UnexpectedContent, QuotaExceeded, CSVFormatError, FieldErrors, StorageUnavailable,
    and any error of `body`. The task is created only when everything is valid. After a fault the
    file is deleted at once; the sweeper deletes it if this process is killed.
    """
    if not order.action.takes_input:
        raise UnexpectedContent("none")
    room = quotas.check_room(order.account.pk, length or 1)
    task_id = new_task_id()
    csv_file = storage.reserve(task_id, CSVName.INPUT)
    try:
        scan = store_and_scan(order.action, csv_file, QuotaStream(body, room))
        return create_with_input(order, task_id, csv_file, scan)
    except BaseException:
        give_up(csv_file)
        raise


def create_with_input(order: Order, task_id: str, csv_file: TaskCSV, scan: Scan) -> Task:
    """Create the task with its input and segments."""
    with locks.request_transaction("create", order.account.pk):
        task = create_task(order, task_id, total_count=scan.row_count)
        adopted = (
            TaskCSV.objects.unfinished()
            .filter(pk=csv_file.pk)
            .update(
                task=task,
                kept_until=None,
                row_count=scan.row_count,
                header=list(scan.header),
                header_bytes=scan.header_line,
                block_rows=blocks.pack(scan.block_rows, "Q"),
            )
        )
        if not adopted:
            raise StorageUnavailable("The upload was given up: it made no progress for too long.")
        Segment.objects.bulk_create(cut_segments(task, order.action, scan))
        quotas.count_task(task)
    return task


def create_task(order: Order, task_id: str, *, total_count: int | None) -> Task:
    """Create the task and its first event, if the client still may."""
    order.authorize_again()
    task = Task.objects.create(
        id=task_id,
        account=order.account,
        auth_account=order.auth_account,
        category=order.category.name,
        action=order.action.name,
        category_version=order.category.version,
        output_columns=[column.name for column in order.action.output],
        file_name=order.file_name,
        total_count=total_count,
        max_workers=order.action.max_workers,
    )
    task.refresh_from_db()  # the database sets created_at
    events.record(task, EventKind.CREATED, order.actor)
    return task


def cut_segments(task: Task, action: type[Action], scan: Scan) -> list[Segment]:
    """Return the segments of an input: one for an ordered action, several for a parallel one.

    All but the last are equally long, because the longest segment decides when the task ends.
    """
    most = 1 if action.ordered else MAX_SEGMENTS
    step = max(1, math.ceil(len(scan.checkpoints) / most))
    starts = [(0, scan.data_offset), *scan.checkpoints[step::step]]
    ends = [*starts[1:], (scan.row_count, scan.size_bytes)]
    # so many rows are suspicious if a worker dies in the first group of an external action
    sizes = {"batch_size": window_size(action)} if action.effects is Effects.EXTERNAL else {}
    return [
        Segment(
            task=task,
            index=index,
            start_row=start_row,
            cursor_row=start_row,
            cursor_offset=offset,
            end_row=end_row,
            end_offset=end_offset,
            **sizes,
        )
        for index, ((start_row, offset), (end_row, end_offset)) in enumerate(
            zip(starts, ends, strict=True)
        )
        if end_row > start_row
    ]
