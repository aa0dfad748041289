"""Stores an upload and scans it in the same pass: bytes go from the request to the storage."""

from __future__ import annotations

import logging
import zlib
from contextlib import suppress

from django.conf import settings
from django.db import connection

from categories.contract import Action
from categories.contract.rows import accepted_columns
from piston.plurals import plural
from piston.readable import Readable
from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.scanning import Scan, Scanner
from tasks_app.errors import (
    CSVFormatError,
    TooManyStoredBytes,
)
from tasks_app.files import recording, storage
from tasks_app.models import TaskCSV

logger = logging.getLogger(__name__)


def store_and_scan(action: type[Action], csv_file: TaskCSV, body: Readable) -> Scan:
    """Store the body and return what its scan found."""
    stream = ScannedStream(action, body)
    storage.save(csv_file, stream)
    return stream.scan


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
            accepted_columns(action),
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
