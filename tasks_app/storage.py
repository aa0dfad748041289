"""Where do files live? The only place that names files and opens storage."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from piston import disk_reserve
from piston.file_storage import SyncedFileStorage
from tasks_app.csv_files import blocks, reading
from tasks_app.csv_files.verifying import VerifiedFile, blocks_around, found_changed
from tasks_app.errors import PistonError, StorageFull, StorageUnavailable, StoredFileMissing
from tasks_app.models import CSVName, TaskCSV
from tasks_app.models.clock import database_time
from tasks_app.signs_of_life import heart

# an unfinished file whose writer says nothing for so long is deleted
KEEP_SECONDS = 6.0 * settings.PISTON_CLAIM_SECONDS
BLOCK_BYTES = 256 * 1024
KEY = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{28}-[0-9a-f]{16}\.(?:in|out|failed)\.csv")
# Object storage takes 8 MiB at a time and reads nothing meanwhile. Who needs longer has given up.
LONGEST_BLOCK_SECONDS = 900.0


class Readable(Protocol):
    """Anything that bytes can be read from, block by block."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


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
    recording = RecordingStream(csv_file, content)

    def keep() -> None:
        if monotonic() - recording.read_at < LONGEST_BLOCK_SECONDS:
            csv_file.keep(KEEP_SECONDS)
            if while_storing is not None:
                while_storing()

    with heart.repeating(keep), storage_errors(StorageUnavailable):
        stored = default_storage.save(csv_file.key, cast("File[bytes]", recording))
    if stored != csv_file.key:
        raise StorageUnavailable(f"The storage kept {csv_file.key} under another name: {stored}.")
    csv_file.size_bytes = recording.size_bytes
    csv_file.sha256 = recording.digest.hexdigest()
    checksums = recording.checksums.close()
    csv_file.block_bytes = checksums.block_bytes
    csv_file.checksums = blocks.pack(checksums.values, "I")
    if (
        not TaskCSV.objects.unfinished()
        .filter(pk=csv_file.pk)
        .update(
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


def open_range(csv_file: TaskCSV, start: int = 0, end: int | None = None) -> reading.Readable:
    """Open the bytes of a file from `start` up to `end`; None is its end.

    Raises StorageUnavailable, StoredFileMissing, and StoredFileChanged for another file than the
    one that was stored; reading raises that as well.
    """
    end = csv_file.size_bytes if end is None else end
    if end <= start:
        return io.BytesIO()
    first, last = blocks_around(csv_file, start, end)
    try:
        with storage_errors():
            file, size = _open(csv_file.key, first, last)
    except StoredFileMissing:
        csv_file.note_fault(0)
        raise
    if size != csv_file.size_bytes:
        file.close()
        place = max(min(size, csv_file.size_bytes - 1), 0)
        first, last = blocks_around(csv_file, place, csv_file.size_bytes)
        raise found_changed(csv_file, first, last)
    return VerifiedFile(csv_file, file, start, end)


def _open(key: str, start: int, end: int) -> tuple[BinaryIO, int]:
    """Open a stored file at byte `start`; return it and the size of the whole file.

    Object storage sends what lies before `end` only.
    """
    if hasattr(default_storage, "bucket"):
        return _open_object(key, start, end)
    file = open(default_storage.path(key), "rb", opener=open_file)  # noqa: SIM115 - with it
    size = file.seek(0, io.SEEK_END)
    file.seek(start)
    return file, size


def open_file(path: str, flags: int) -> int:
    """Open a file, and nothing else that stands in its place: a pipe would be waited for.

    Raises FileNotFoundError for anything that is not a file.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "is not a file", path)
    return descriptor


def _open_object(key: str, start: int, end: int) -> tuple[BinaryIO, int]:
    """Ask S3 for a range; its own file class would fetch the whole object first."""
    found = default_storage.bucket.Object(key)  # type: ignore[attr-defined]
    try:
        answer = found.get(Range=f"bytes={start}-{end - 1}")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in {"InvalidRange", "416"}:
            raise
        return io.BytesIO(), found.content_length  # it ends before the range begins
    return cast("BinaryIO", answer["Body"]), int(answer["ContentRange"].rpartition("/")[2])


def read_range(csv_file: TaskCSV, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of a stored file from `start` up to `end`, block by block."""
    file = open_range(csv_file, start, end)
    try:
        while True:
            with storage_errors():
                block = file.read(blocks.LARGEST_BLOCK_BYTES)
            if not block:
                return
            yield block
    finally:
        file.close()


def look_again(csv_file: TaskCSV) -> None:
    """Take a file for sound again if the place where it was found faulty is as it was stored."""
    place = csv_file.faulty_at or 0
    with suppress(StoredFileMissing):
        for _ in read_range(csv_file, place, place + 1):
            csv_file.note_fault(None)


def delete(key: str) -> None:
    """Delete a file; one that is not there is no error."""
    with storage_errors():
        default_storage.delete(key)


@dataclass(frozen=True)
class StoredFile:
    """A file as the storage lists it."""

    key: str
    size_bytes: int
    modified_at: datetime


def list_files(folder: str) -> Iterator[StoredFile]:
    """Yield the files of a folder that have names as we give them, one after the other.

    Raises StorageUnavailable; a folder that is not there has no files.
    """
    with storage_errors(StorageUnavailable):
        found = _list_objects if hasattr(default_storage, "bucket") else _list_folder
        for file in found(folder):
            if KEY.fullmatch(file.key):
                yield file


def _list_folder(folder: str) -> Iterator[StoredFile]:
    path = Path(default_storage.path(folder))
    with os.scandir(path) if path.is_dir() else nullcontext(()) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # deleted meanwhile
                if entry.is_file(follow_symlinks=False):
                    stat = entry.stat(follow_symlinks=False)
                    modified_at = datetime.fromtimestamp(stat.st_mtime, UTC)
                    yield StoredFile(f"{folder}/{entry.name}", stat.st_size, modified_at)


def _list_objects(folder: str) -> Iterator[StoredFile]:
    for each in default_storage.bucket.objects.filter(Prefix=f"{folder}/"):  # type: ignore[attr-defined]
        yield StoredFile(each.key, each.size, each.last_modified)


def exists(key: str) -> bool:
    """Say whether a file is in storage. Raises StorageUnavailable."""
    with storage_errors(StorageUnavailable):
        return default_storage.exists(key)


@contextmanager
def storage_errors(missing: type[PistonError] = StoredFileMissing) -> Iterator[None]:
    """Translate the backends' errors into ours; `missing` is for what is not there.

    A disk or bucket that is full or refuses is one that is away: nothing of ours is wrong.
    """
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise missing(f"{error.filename} is not in storage.") from error
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey"}:
            raise missing(str(error)) from error
        raise StorageUnavailable(str(error)) from error
    except (OSError, BotoCoreError) as error:
        if disk_reserve.is_full(error):
            raise StorageFull(disk_reserve.REASON) from error
        raise StorageUnavailable(str(error)) from error


class RecordingStream:
    """A source of bytes that counts and hashes what passes, and keeps the reservation alive.

    Storage backends see a file that can only be read forwards.
    """

    closed = False

    def __init__(self, csv_file: TaskCSV, source: Readable) -> None:
        self.csv_file = csv_file
        self.source = source
        self.digest = hashlib.sha256()
        self.checksums = blocks.ChecksumWriter()
        self.size_bytes = 0
        self.kept_at = self.read_at = monotonic()

    def read(self, size: int | None = None) -> bytes:
        """Return the next block; without a size, one of a good size for copying.

        It is shorter than asked for only at the end: backends take a short
        block for the last one, sources may return any number of bytes.
        """
        block = self._fill(BLOCK_BYTES if size is None or size < 0 else size)
        self.digest.update(block)
        self.checksums.update(block)
        self.size_bytes += len(block)
        self.read_at = monotonic()
        if monotonic() - self.kept_at > KEEP_SECONDS / 4:
            self.kept_at = monotonic()
            if not self.csv_file.keep(KEEP_SECONDS):
                raise StorageUnavailable(f"{self.csv_file.key} was given up while it was written.")
        return block

    def _fill(self, size: int) -> bytes:
        block = self.source.read(size)
        if len(block) == size or not block:
            return block
        pieces, missing = [block], size - len(block)
        while missing and (piece := self.source.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield all blocks (what Django's file storage asks for)."""
        while block := self.read(chunk_size or BLOCK_BYTES):
            yield block

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can only be read forwards."""
        return False

    def close(self) -> None:
        """Do nothing: the source belongs to the caller."""
