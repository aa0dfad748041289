"""Where do files live? The only place that names files and opens storage."""

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
from tasks_app.files.heartbeat import heart
from tasks_app.files.recording import RecordingStream
from tasks_app.models import CSVName, TaskCSV
from tasks_app.models.clock import database_time

# an unfinished file whose writer says nothing for so long is deleted
KEEP_SECONDS = 6.0 * settings.PISTON_CLAIM_SECONDS
FOLDER = re.compile("[0-9a-f]{2}")
KEY = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{28}-[0-9a-f]{16}\.(?:in|out|failed)\.csv")
# Object storage takes 8 MiB at a time and reads nothing meanwhile. Who needs longer has given up.
MAX_BLOCK_SECONDS = 900.0
PROOF_SECONDS = 0.25  # before each of the two questions that prove that a file is missing
NEIGHBOURS = 3  # of a missing file, one of which has to be there
LOST = "00/lost"  # an object by which an operator says that files are lost for good
NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


def reserve(task_id: str, name: CSVName) -> TaskCSV:
    """Record that a file will be written; until a task owns it, it is one to be deleted."""
    key = f"{task_id[:2]}/{task_id}-{secrets.token_hex(8)}.{name.value}"
    return TaskCSV.objects.create(key=key, name=name, kept_until=database_time(KEEP_SECONDS))


def save(
    csv_file: TaskCSV, content: Readable, *, while_storing: Callable[[], object] | None = None
) -> None:
    """Store what `content` yields under the reserved name; fills in the size and the SHA-256.

    `while_storing` is called now and then by another thread, to keep a claim alive. Raises
    StorageUnavailable when the storage refuses, and whatever `content` raises.
    """
    recording = RecordingStream(csv_file, content, KEEP_SECONDS)

    def keep() -> None:
        if monotonic() - recording.read_at < MAX_BLOCK_SECONDS:
            csv_file.keep(KEEP_SECONDS)
            if while_storing is not None:
                while_storing()

    with heart.repeating(keep), storage_errors():
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
    """Raise StorageFull when it is certain that there is no room for a file of that size."""
    if isinstance(default_storage, SyncedFileStorage) and default_storage.spares_reserve():
        with storage_errors():
            disk_reserve.check_room(size_bytes)


def open_range(csv_file: TaskCSV, start: int = 0, end: int | None = None) -> ReadableFile:
    """Open the bytes of a file from `start` up to `end`; None is its end.

    Raises StorageUnavailable, StoredFileMissing, and StoredFileChanged for another file than the
    one that was stored; reading raises that as well.
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
        place = max(min(size, csv_file.size_bytes - 1), 0)
        first, last = blocks_around(csv_file, place, csv_file.size_bytes)
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


def look_again(csv_file: TaskCSV, place: int = 0) -> StoredFileMissing | None:
    """Look at the place where a file was found faulty, else at `place`; return what is wrong.

    If it is as it was stored, it is taken for sound again.
    """
    place = place if csv_file.faulty_at is None else csv_file.faulty_at
    try:
        for _ in read_range(csv_file, place, place + 1):
            csv_file.note_fault(None)
    except StoredFileMissing as error:
        return error
    return None


def delete(key: str) -> None:
    """Delete a file; one that is not there is no error. Raises StorageUnavailable."""
    with storage_errors():
        check_mounted()
        backend().delete(key)


def list_files(folder: str) -> Iterator[StoredFile]:
    """Yield the files of a folder that have names as we give them, one after the other.

    Raises StorageUnavailable; a folder that is not there has no files.
    """
    with storage_errors():
        check_mounted()
        for file in backend().list_folder(folder):
            if KEY.fullmatch(file.key):
                yield file


def exists(key: str) -> bool:
    """Say whether a file is in storage; no is certain, too. Raises StorageUnavailable."""
    with storage_errors():
        check_mounted()
        return backend().has_file(key)


# ---- What is certain -----------------------------------------------------------------------------


def backend() -> Backend:
    """Return where files are: a folder, or object storage."""
    return cast("Backend", default_storage)


def check_mounted() -> None:
    """Raise StorageUnavailable where the folder of files is perhaps not the one they are in.

    It has nothing in it, though tasks have files: so does the place of a disk that is away look.
    What is stored there would be out of sight once the disk is back.
    """
    if not isinstance(default_storage, SyncedFileStorage) or default_storage.has_folder(FOLDER):
        return
    if TaskCSV.objects.filter(task__isnull=False).exists():
        raise StorageUnavailable(
            f"{default_storage.location} is empty although tasks have files: is its disk mounted?"
            " If they are lost, make the folder 00 in it."
        )


def found_missing(csv_file: TaskCSV) -> StoredFileMissing:
    """Remember that a file is missing; return the error to be raised.

    Raises StorageUnavailable unless the storage's own list says so, twice, after a pause each:
    a gateway in front of a storage that is away says "not found" of everything.
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
    """Raise StorageUnavailable where not even files that were stored before it are there."""
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
    """Remember that these bytes are not as they were stored; return the error to be raised.

    `size` is that of the file as it was opened; None is the right one. Raises StorageUnavailable
    where the storage itself says otherwise: then something in between has made it up.
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
    """Translate the backends' errors into ours.

    A disk or bucket that is full, refuses or has not what it should is one that is away: nothing
    of ours is wrong. What is certain is said by `found_missing` and `found_changed`.
    """
    try:
        yield
    except OSError as error:
        if disk_reserve.is_full(error):
            raise StorageFull(disk_reserve.REASON) from error
        raise StorageUnavailable(str(error)) from error
