"""How does a file in a folder survive a power cut? It is on disk before its name is passed on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage

from piston import disk_reserve


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


def sync(path: Path) -> None:
    """Wait until a file or a folder is on disk as it is now. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
