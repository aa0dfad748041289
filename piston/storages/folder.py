"""How are files kept in a folder? They are on disk before their names are passed on."""

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
    etag: str = ""  # object storage's own name for exactly these bytes; a folder has none


class Backend(Protocol):
    """What a folder and object storage can be asked; their errors are OSErrors."""

    def save(self, name: str, content: File[Any]) -> str:
        """Store a file; return its name."""

    def open_range(self, name: str, start: int, end: int) -> tuple[BinaryIO, int]:
        """Open a file at byte `start`; return it and the size of the whole file.

        Object storage sends what lies before `end` only.
        """

    def look(self, name: str) -> StoredFile:
        """Describe a file."""

    def has_file(self, name: str) -> bool:
        """Say whether there is a file; no is certain, too."""

    def list_folder(self, folder: str) -> Iterator[StoredFile]:
        """Yield the files of a folder; one that is not there has none."""

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is no error."""


class SyncedFileStorage(FileSystemStorage):
    """Django's file storage, whose files are as durable as the database that speaks of them.

    The parts of an output leave the database once the output is stored: it must not be only in
    memory then. Object storage keeps this promise by itself.
    """

    def _save(self, name: str, content: File[Any]) -> str:
        """Store the content and wait until it is on disk. Raises OSError; then nothing is left."""
        if self.spares_reserve():
            content = cast("File[Any]", SparingContent(content))
        try:
            stored = str(super()._save(name, content))  # type: ignore[misc]  # not in the stubs
            file = Path(self.path(stored))
            sync(file)
            for folder in file.parents:  # for its name, and the names of folders that are new
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
        """Say whether there is a file of this name, and not something else in its place."""
        return Path(self.path(name)).is_file()

    def has_folder(self, name: re.Pattern[str]) -> bool:
        """Say whether there is a folder with such a name. Raises OSError."""
        with suppress(FileNotFoundError), os.scandir(self.location) as entries:
            return any(name.fullmatch(entry.name) for entry in entries)
        return False

    def list_folder(self, folder: str) -> Iterator[StoredFile]:
        """Yield the files of a folder; one that is not there has none. Raises OSError."""
        path = Path(self.path(folder))
        with os.scandir(path) if path.is_dir() else nullcontext(()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # deleted meanwhile
                    if entry.is_file(follow_symlinks=False):
                        yield describe(f"{folder}/{entry.name}", entry.stat(follow_symlinks=False))

    def spares_reserve(self) -> bool:
        """Say whether the files are on the disk of which some room is kept for people."""
        try:
            folder = Path(self.location)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder.stat().st_dev == settings.PISTON_DATA_DIR.stat().st_dev
        except OSError:
            return False


class SparingContent:
    """What is to be stored, as long as the disk has room for more than the reserve."""

    def __init__(self, content: File[Any]) -> None:
        disk_reserve.check_room()
        self.content = content

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        """Yield the blocks; raises DiskFull before the one that fits no more."""
        for block in self.content.chunks(chunk_size):
            disk_reserve.check_room(len(block))
            yield block


def describe(name: str, status: os.stat_result) -> StoredFile:
    """Return what the file system says of a file."""
    return StoredFile(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def open_file(path: str, flags: int) -> int:
    """Open a file, and nothing else that stands in its place: a pipe would be waited for.

    Raises FileNotFoundError for anything that is not a file.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "is not a file", path)
    return descriptor


def sync(path: Path) -> None:
    """Wait until a file or a folder is on disk as it is now. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
