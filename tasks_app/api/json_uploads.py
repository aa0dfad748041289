"""Reads the records of a JSON body: a small body in this process, a larger one in a converter."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, Protocol

from django.conf import settings

from piston import disk_reserve
from piston.http.transfers import check_connection, take_slot_for_work
from piston.readable import Readable
from tasks_app import quotas
from tasks_app.api.conversion import Conversion, conversion_queue
from tasks_app.creating import Order
from tasks_app.csv_files import records
from tasks_app.csv_files.records import RecordRules, TooManyAbsentCells
from tasks_app.files import recording, storage

SMALL_BYTES = 64 * 1024  # at most this is read in this process, in a few milliseconds
SMALL_ABSENT_CELLS = 100_000  # if the records leave out more cells, a converter reads them
MAX_ABSENT_CELLS = 100_000_000  # that records may leave out
PROGRAM = records.__name__


class Records(Protocol):
    """The content of a JSON body: its `head`, and its rows as CSV."""

    head: dict[str, Any]

    def read(self, size: int = -1, /) -> bytes:
        """Return the next block of the CSV."""


class SmallRecords(io.BytesIO):
    """The records of a small body."""

    def __init__(self, text: bytes, rules: RecordRules) -> None:
        self.head, blocks = records.convert(io.BytesIO(text), io.BytesIO(), rules)
        super().__init__(b"".join(blocks))


@contextmanager
def open_records(environ: dict[str, Any], body: Readable, order: Order) -> Iterator[Records]:
    """Read a whole body and yield its records.

    Raises InvalidJSON, FaultyDocument, UnexpectedContent, CSVFormatError, StorageUnavailable,
    StorageFull, ConverterDied, NoFreeSlot, ServerStopping, ClientGone, QuotaExceeded, and any error
    of `body`.
    """
    start = read_start(body)
    small = read_small(start, order) if len(start) <= SMALL_BYTES else None
    if small:
        yield small
        return
    take_slot_for_work(environ)
    quotas.check_room(order.account.pk)
    check_client = partial(check_connection, environ)
    tree = order.auth_account.find_root_id()
    rules = vars(rules_for(order, MAX_ABSENT_CELLS))
    with tempfile.TemporaryFile(dir=settings.PISTON_DATA_DIR) as file:
        keep(file, start, body)
        with (
            conversion_queue.slot(tree, check_client),
            Conversion(PROGRAM, file, rules, check_client) as conversion,
        ):
            yield conversion


def read_start(body: Readable) -> bytes:
    """Return a small body whole, or the beginning of a larger one."""
    start = b""
    while len(start) <= SMALL_BYTES and (block := body.read(SMALL_BYTES)):
        start += block
    return start


def read_small(text: bytes, order: Order) -> SmallRecords | None:
    """Return the records of a small body; None if their CSV would be large."""
    try:
        return SmallRecords(text, rules_for(order, SMALL_ABSENT_CELLS))
    except TooManyAbsentCells:
        return None


def rules_for(order: Order, most_absent_cells: int) -> RecordRules:
    """Return the rules for the records of an order's input."""
    return RecordRules(order.action.takes_input, settings.PISTON_MAX_COLUMNS, most_absent_cells)


def keep(file: IO[bytes], start: bytes, body: Readable) -> None:
    """Write a body to an unnamed file, which is deleted with this request."""
    block = start
    while block:
        with storage.storage_errors():
            disk_reserve.check_room(len(block))
            file.write(block)
        block = body.read(recording.BLOCK_BYTES)
    with storage.storage_errors():
        file.seek(0)  # flushes the buffer
