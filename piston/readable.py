"""The types of objects that bytes are read from: a request, a stored file, a wrapping stream."""

from __future__ import annotations

from typing import Protocol


class Readable(Protocol):
    """Anything that bytes can be read from, block by block."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, and b"" only at the end."""


class ReadableFile(Readable, Protocol):
    """A `Readable` that must be closed; every storage returns one."""

    def close(self) -> None:
        """Release the resources of the file."""
