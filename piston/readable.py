"""What can bytes be read from? A request, a stored file, a stream around either."""

from __future__ import annotations

from typing import Protocol


class Readable(Protocol):
    """Anything that bytes can be read from, block by block."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, and none only at the end."""


class ReadableFile(Readable, Protocol):
    """The same, with something to give back at the end; every storage has it."""

    def close(self) -> None:
        """Give back what the file holds."""
