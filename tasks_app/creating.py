"""Creates tasks: scans and stores an upload in one pass, then writes the task in a transaction."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from categories.contract import Action, Category
from piston.accounts.models import Account
from piston.database import locks
from piston.plurals import plural
from piston.readable import Readable
from tasks_app import events, quotas
from tasks_app.csv_files import blocks
from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.scanning import Scan, Scanner
from tasks_app.errors import (
    CSVFormatError,
    StorageUnavailable,
    TooManyStoredBytes,
    UnexpectedContent,
)
from tasks_app.events import Actor
from tasks_app.files import recording, storage
from tasks_app.models import CSVName, EventKind, Segment, Task, TaskCSV
from tasks_app.models.task import new_task_id

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


def store_and_scan(action: type[Action], csv_file: TaskCSV, body: Readable) -> Scan:
    """Store the body and return what its scan found."""
    stream = ScannedStream(action, body)
    storage.save(csv_file, stream)
    return stream.scan


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
    return [
        Segment(
            task=task,
            index=index,
            start_row=start_row,
            cursor_row=start_row,
            cursor_offset=offset,
            end_row=end_row,
            end_offset=end_offset,
        )
        for index, ((start_row, offset), (end_row, end_offset)) in enumerate(
            zip(starts, ends, strict=True)
        )
        if end_row > start_row
    ]


def give_up(csv_file: TaskCSV) -> None:
    """Delete the stored bytes of a refused upload; the sweeper repeats what fails here.

    A commit that raised may have been applied (design §4.5). Then the file belongs to a task and
    stays.
    """
    try:
        if TaskCSV.objects.unfinished().filter(pk=csv_file.pk).update(is_given_up=True):
            storage.delete(csv_file.key)
            csv_file.delete()
    except Exception:
        logger.exception("The row of a refused upload stays for the sweeper: %s", csv_file.key)
        delete_unrecorded(csv_file)


def delete_unrecorded(csv_file: TaskCSV) -> None:
    """Delete the bytes when the database cannot be written, as on a full disk under SQLite.

    Only for SQLite: once the connection is closed, a commit that raised cannot be applied there.
    So a read tells whether it was.
    """
    with suppress(Exception):
        connection.close()
        is_ours = TaskCSV.objects.filter(pk=csv_file.pk, task=None)
        if connection.vendor == "sqlite" and is_ours.exists():
            storage.delete(csv_file.key)


class ScannedStream:
    """The body of an upload, which scans each block as it is read.

    It reports the end of the file only after the whole scan passed, so a storage backend never
    completes a refused file.
    """

    def __init__(self, action: type[Action], body: Readable) -> None:
        self.body = body
        self.scan: Scan
        self.scanner = Scanner(
            {column.name: column.mandatory for column in action.columns},
            ScanLimits(
                columns=settings.PISTON_MAX_COLUMNS,
                cell_bytes=settings.PISTON_MAX_CELL_BYTES,
                rows=settings.PISTON_MAX_ROWS,
            ),
        )

    def read(self, size: int = -1, /) -> bytes:
        """Return the next block; raises CSVFormatError or FieldErrors once they are certain."""
        block = self.body.read(size)
        if block:
            self.scanner.feed(block)
        else:
            self.scan = self.scanner.close()
        return block


class QuotaStream:
    """The bytes of a body, up to `room`, the bytes that its account may still store.

    None means no limit.
    """

    def __init__(self, body: Readable, room: int | None) -> None:
        self.body = body
        self.room = room

    def read(self, size: int = -1, /) -> bytes:
        """Return the next block; raises TooManyStoredBytes for the first that exceeds the room."""
        block = self.body.read(size)
        if self.room is not None:
            self.room -= len(block)
            if self.room < 0:
                raise TooManyStoredBytes(settings.PISTON_MAX_STORED_BYTES_PER_ACCOUNT)
        return block


class GunzippedStream:
    """The decompressed bytes of a gzipped body, with at most one block in memory."""

    def __init__(self, body: Readable, limit_bytes: int) -> None:
        self.body = body
        self.left_bytes = limit_bytes
        self.limit_bytes = limit_bytes
        self.inflater = zlib.decompressobj(wbits=31)
        self.compressed = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next block; raises CSVFormatError for bad gzip, or for too many bytes."""
        size = recording.BLOCK_BYTES if size < 0 else size
        while True:
            if not self.compressed:
                self.compressed = self.body.read(recording.BLOCK_BYTES)
                if not self.compressed and self.inflater.eof:
                    return b""
            has_all = not self.compressed  # only bytes inside the inflater are left
            block = self._inflate(size)
            if block:
                self._count(block)
                return block
            if has_all:
                raise CSVFormatError("the gzipped body is cut off")

    def _inflate(self, size: int) -> bytes:
        if self.inflater.eof:  # a file may consist of several members (RFC 1952 §2.2)
            self.inflater = zlib.decompressobj(wbits=31)
        try:
            block = self.inflater.decompress(self.compressed, size)
        except zlib.error as error:
            raise CSVFormatError(f"the body is not valid gzip: {error}") from error
        self.compressed = self.inflater.unused_data or self.inflater.unconsumed_tail
        return block

    def _count(self, block: bytes) -> None:
        self.left_bytes -= len(block)
        if self.left_bytes < 0:
            limit = self.limit_bytes
            raise CSVFormatError(
                f"the body expands to more than {limit} {plural('byte', limit)}",
                expected=limit,
            )
