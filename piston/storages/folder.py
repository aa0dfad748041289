"""Stores files in a folder; a file is on disk before its name is returned."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage

from piston import disk_reserve


@dataclass(frozen=True)
class StoredFile:
    """A file as its storage describes it."""

    key: str
    size_bytes: int
    modified_at: datetime
    etag: str = ""  # object storage's validator of exactly these bytes; a folder has none


class Backend(Protocol):
    """The methods that a folder and object storage share; their errors are OSErrors."""

    def save(self, name: str, content: File[Any]) -> str:
        """Store a file; return its name."""

    def open_range(self, name: str, start: int, end: int) -> tuple[BinaryIO, int]:
        """Open a file at byte `start`; return it and the size of the whole file.

        Object storage sends only the bytes before `end`.
        """

    def look(self, name: str) -> StoredFile:
        """Describe a file."""

    def has_file(self, name: str) -> bool:
        """Tell whether the file exists; False is as certain as True."""

    def list_folder(self, folder: str) -> Iterator[StoredFile]:
        """Yield the files of a folder; none if the folder does not exist."""

    def delete(self, name: str) -> None:
        """Delete a file, if it exists."""


class SyncedFileStorage(FileSystemStorage):
    """Django's file storage, whose files are as durable as the database that refers to them.

    The parts of an output are deleted from the database once the output is stored. So the output
    must be on disk by then, not only in memory. Object storage guarantees this by itself.
    """

    def _save(self, name: str, content: File[Any]) -> str:
        """Store the content, and wait until it is on disk. After an OSError, nothing is left."""
        if self.spares_reserve():
            content = cast("File[Any]", SparingContent(content))
        try:
            stored = str(super()._save(name, content))  # type: ignore[misc]  # not in the stubs
            file = Path(self.path(stored))
            sync(file)
            for folder in file.parents:  # syncs the file's name, and the names of new folders
                sync(folder)
                if folder == Path(self.location):
                    break
        except BaseException:
            with suppress(OSError):
                Path(self.path(name)).unlink()
            raise
        return stored

    def open_range(self, name: str, start: int, end: int) -> tuple[BinaryIO, int]:
        """Open a file at byte `start`; return it and the size of the whole file. Raises OSError."""
        file = open(self.path(name), "rb", opener=open_file)  # noqa: SIM115 - with it
        size = file.seek(0, io.SEEK_END)
        file.seek(start)
        return file, size

    def look(self, name: str) -> StoredFile:
        """Describe a file. Raises OSError."""
        return describe(name, Path(self.path(name)).stat())

    def has_file(self, name: str) -> bool:
        """Tell whether the name exists and is a file."""
        return Path(self.path(name)).is_file()

    def has_folder(self, name: re.Pattern[str]) -> bool:
        """Tell whether a folder has such a name. Raises OSError."""
        with suppress(FileNotFoundError), os.scandir(self.location) as entries:
            return any(name.fullmatch(entry.name) for entry in entries)
        return False

    def list_folder(self, folder: str) -> Iterator[StoredFile]:
        """Yield the files of a folder; none if it does not exist. Raises OSError."""
        path = Path(self.path(folder))
        with os.scandir(path) if path.is_dir() else nullcontext(()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # deleted meanwhile
                    if entry.is_file(follow_symlinks=False):
                        yield describe(f"{folder}/{entry.name}", entry.stat(follow_symlinks=False))

    def spares_reserve(self) -> bool:
        """Tell whether the files are on the disk that has the reserve for what people do."""
        try:
            folder = Path(self.location)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder.stat().st_dev == settings.PISTON_DATA_DIR.stat().st_dev
        except OSError:
            return False


class SparingContent:
    """Content to store, which ends with an error before it uses the room of the reserve."""

    def __init__(self, content: File[Any]) -> None:
        disk_reserve.check_room()
        self.content = content

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        """Yield the blocks; raise DiskFull before a block that does not fit."""
        for block in self.content.chunks(chunk_size):
            disk_reserve.check_room(len(block))
            yield block


def describe(name: str, status: os.stat_result) -> StoredFile:
    """Return a file as the file system describes it."""
    return StoredFile(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def open_file(path: str, flags: int) -> int:
    """Open a file without waiting; opening a pipe would block.

    Raises FileNotFoundError for anything that is not a file.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "is not a file", path)
    return descriptor


def sync(path: Path) -> None:
    """Wait until the current state of a file or folder is on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
