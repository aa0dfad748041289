"""How does a file in a folder survive a power cut? It is on disk before its name is passed on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import FileSystemStorage


class SyncedFileStorage(FileSystemStorage):
    """Django's file storage, whose files are as durable as the database that speaks of them.

    The parts of an output leave the database once the output is stored: it must not be only in
    memory then. Object storage keeps this promise by itself.
    """

    def save(
        self, name: str | None, content: IO[Any] | File[Any], max_length: int | None = None
    ) -> str:
        """Store the content and wait until it is on disk. Raises OSError."""
        stored = super().save(name, content, max_length)
        file = Path(self.path(stored))
        sync(file)
        for folder in file.parents:  # for its name, and the names of folders that are new
            sync(folder)
            if folder == Path(self.location):
                break
        return stored


def sync(path: Path) -> None:
    """Wait until a file or a folder is on disk as it is now. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
