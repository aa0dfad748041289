"""Stores, reads and deletes files; the only module that names files and opens storage."""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from piston import disk_reserve
from piston.readable import Readable, ReadableFile
from piston.storages.folder import Backend, StoredFile, SyncedFileStorage
from tasks_app.csv_files import blocks
from tasks_app.csv_files.verifying import VerifiedFile, blocks_around
from tasks_app.errors import StorageFull, StorageUnavailable, StoredFileChanged, StoredFileMissing
from tasks_app.files.heartbeat import heartbeat
from tasks_app.files.recording import RecordingStream
from tasks_app.models import CSVName, TaskCSV
from tasks_app.models.clock import database_time

# an unfinished file without a heartbeat for this long is deleted
KEEP_SECONDS = 6.0 * settings.PISTON_CLAIM_SECONDS
FOLDER = re.compile("[0-9a-f]{2}")
KEY = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{28}-[0-9a-f]{16}\.(?:in|out|failed)\.csv")
# Object storage is sent 8 MiB at a time, and nothing is read from the source meanwhile. A writer
# that has read nothing for this long counts as dead.
MAX_BLOCK_SECONDS = 900.0
PROOF_SECONDS = 0.25  # before each of the two checks that prove that a file is missing
NEIGHBOURS = 3  # other files that are looked for when one is missing; at least one must exist
LOST = "00/lost"  # an operator adds this object to declare that files are lost for good
NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


def reserve(task_id: str, name: CSVName) -> TaskCSV:
    """Record a file that will be written; it will be deleted unless a task comes to own it."""
    key = f"{task_id[:2]}/{task_id}-{secrets.token_hex(8)}.{name.value}"
    return TaskCSV.objects.create(key=key, name=name, kept_until=database_time(KEEP_SECONDS))


def save(
    csv_file: TaskCSV, content: Readable, *, while_storing: Callable[[], object] | None = None
) -> None:
    """Store `content` under the reserved name, and fill in the size and the SHA-256.

    Another thread calls `while_storing` regularly, to renew a claim. Raises StorageUnavailable
    when the storage refuses, and any error of `content`.
    """
    recording = RecordingStream(csv_file, content, KEEP_SECONDS)

    def keep() -> None:
        if monotonic() - recording.read_at < MAX_BLOCK_SECONDS:
            csv_file.keep(KEEP_SECONDS)
            if while_storing is not None:
                while_storing()

    with heartbeat.repeating(keep), storage_errors():
        check_mounted()
        stored = backend().look(backend().save(csv_file.key, cast("File[bytes]", recording)))
    if (stored.key, stored.size_bytes) != (csv_file.key, recording.size_bytes):
        raise StorageUnavailable(f"The storage has not kept {csv_file.key}, but {stored}.")
    csv_file.etag = stored.etag
    csv_file.size_bytes = recording.size_bytes
    csv_file.sha256 = recording.digest.hexdigest()
    checksums = recording.checksums.close()
    csv_file.block_bytes = checksums.block_bytes
    csv_file.checksums = blocks.pack(checksums.values, "I")
    if (
        not TaskCSV.objects.unfinished()
        .filter(pk=csv_file.pk)
        .update(
            etag=csv_file.etag,
            size_bytes=csv_file.size_bytes,
            sha256=csv_file.sha256,
            block_bytes=csv_file.block_bytes,
            checksums=csv_file.checksums,
        )
    ):
        raise StorageUnavailable(f"{csv_file.key} was given up while it was written.")


def check_room(size_bytes: int) -> None:
    """Raise StorageFull when there is certainly no room for a file of that size."""
    if isinstance(default_storage, SyncedFileStorage) and default_storage.spares_reserve():
        with storage_errors():
            disk_reserve.check_room(size_bytes)


def open_range(csv_file: TaskCSV, start: int = 0, end: int | None = None) -> ReadableFile:
    """Open the bytes of a file from `start` up to `end`; None means the end of the file.

    Raises StorageUnavailable and StoredFileMissing. Both this call and reading raise
    StoredFileChanged if the bytes are not those that were stored.
    """
    end = csv_file.size_bytes if end is None else end
    if end <= start:
        return io.BytesIO()
    first, last = blocks_around(csv_file, start, end)
    with storage_errors():
        try:
            file, size = backend().open_range(csv_file.key, first, last)
        except NOT_THERE as error:
            raise found_missing(csv_file) from error
    if size != csv_file.size_bytes:
        file.close()
        offset = max(min(size, csv_file.size_bytes - 1), 0)
        first, last = blocks_around(csv_file, offset, csv_file.size_bytes)
        raise found_changed(csv_file, first, last, size=size)
    return VerifiedFile(csv_file, file, start, end, found_changed)


def read_range(csv_file: TaskCSV, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of a stored file from `start` up to `end`, block by block."""
    file = open_range(csv_file, start, end)
    try:
        while True:
            with storage_errors():
                block = file.read(blocks.MAX_BLOCK_BYTES)
            if not block:
                return
            yield block
    finally:
        file.close()


def recheck(csv_file: TaskCSV, offset: int = 0) -> StoredFileMissing | None:
    """Verify the block where a file was faulty, else the one at `offset`; return what is wrong.

    None means that the block is as it was stored; the file then no longer counts as faulty.
    """
    offset = offset if csv_file.faulty_at is None else csv_file.faulty_at
    try:
        for _ in read_range(csv_file, offset, offset + 1):
            csv_file.note_fault(None)
    except StoredFileMissing as error:
        return error
    return None


def delete(key: str) -> None:
    """Delete a file; a missing file is no error. Raises StorageUnavailable."""
    with storage_errors():
        check_mounted()
        backend().delete(key)


def list_files(folder: str) -> Iterator[StoredFile]:
    """Yield the files of a folder whose names match KEY.

    Raises StorageUnavailable. A missing folder has no files.
    """
    with storage_errors():
        check_mounted()
        for file in backend().list_folder(folder):
            if KEY.fullmatch(file.key):
                yield file


def exists(key: str) -> bool:
    """Return whether a file is in storage; False is as certain as True.

    Raises StorageUnavailable.
    """
    with storage_errors():
        check_mounted()
        return backend().has_file(key)


# ---- Proof that a file is missing or changed -----------------------------------------------------


def backend() -> Backend:
    """Return the storage of files: a folder, or object storage."""
    return cast("Backend", default_storage)


def check_mounted() -> None:
    """Raise StorageUnavailable if the disk that holds the files' folder seems not to be mounted.

    The folder is then empty although tasks have files. A file stored in it would be hidden once
    the disk is mounted again.
    """
    if not isinstance(default_storage, SyncedFileStorage) or default_storage.has_folder(FOLDER):
        return
    if TaskCSV.objects.filter(task__isnull=False).exists():
        raise StorageUnavailable(
            f"{default_storage.location} is empty although tasks have files: is its disk mounted?"
            " If they are lost, make the folder 00 in it."
        )


def found_missing(csv_file: TaskCSV) -> StoredFileMissing:
    """Record that a file is missing; return the error for the caller to raise.

    Raises StorageUnavailable unless the storage's own listing confirms it twice, each time after
    a pause. A gateway in front of a storage that is down answers "not found" for every file.
    """
    for _ in range(2):
        if csv_file.faulty_at is None:
            sleep(PROOF_SECONDS)
        if exists(csv_file.key):
            raise StorageUnavailable(f"{csv_file.key} was not found, and yet it is there.")
    check_bucket(csv_file)
    csv_file.note_fault(0)
    return StoredFileMissing(f"{csv_file.key} is not in storage.")


def check_bucket(csv_file: TaskCSV) -> None:
    """Raise StorageUnavailable if the files stored before it (or else after it) are missing too."""
    is_bucket = not isinstance(default_storage, SyncedFileStorage)
    others = csv_file.stored_near(NEIGHBOURS) if is_bucket else []
    if others and not any(map(exists, (*others, LOST))):
        raise StorageUnavailable(
            f"Neither {csv_file.key} nor {', '.join(others)} is in the bucket: is it a copy that is"
            f" empty or behind? If they are lost, put an object called {LOST} in it."
        )


def found_changed(
    csv_file: TaskCSV, start: int, end: int, *, size: int | None = None
) -> StoredFileChanged:
    """Record that these bytes are not as they were stored; return the error to raise.

    `size` is that of the opened file; None means the recorded size. Raises StorageUnavailable if
    the storage's own metadata contradicts the change: then a proxy or cache in between changed the
    bytes.
    """
    with storage_errors():
        now = backend().look(csv_file.key)
    is_as_stored = bool(csv_file.etag) and now.etag == csv_file.etag
    if is_as_stored or now.size_bytes != (csv_file.size_bytes if size is None else size):
        raise StorageUnavailable(
            f"Other bytes than those of {csv_file.key} arrive, which is as it was:"
            " is there a proxy or a cache in front of the storage?"
        )
    csv_file.note_fault(start)
    return StoredFileChanged(
        f"{csv_file.key} is not the file that was stored: bytes {start:,} to {end:,} differ.",
        start=start,
        end=end,
    )


@contextmanager
def storage_errors() -> Iterator[None]:
    """Translate the backends' errors into StorageFull and StorageUnavailable.

    Any failure of a disk or bucket, even a missing file, counts as an outage of the storage. Only
    `found_missing` and `found_changed` prove that a file is missing or changed.
    """
    try:
        yield
    except OSError as error:
        if disk_reserve.is_full(error):
            raise StorageFull(disk_reserve.REASON) from error
        raise StorageUnavailable(str(error)) from error
