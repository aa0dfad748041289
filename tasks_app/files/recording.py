"""Records the size, SHA-256 and checksums of a file while its bytes go into storage."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from time import monotonic

from piston.readable import Readable
from tasks_app.csv_files import blocks
from tasks_app.errors import StorageUnavailable
from tasks_app.models import TaskCSV

BLOCK_BYTES = 256 * 1024


class RecordingStream:
    """A source of bytes that counts and hashes what it reads, and renews the reservation.

    To a storage backend it is a file that can only be read forwards.
    """

    closed = False

    def __init__(self, csv_file: TaskCSV, source: Readable, keep_seconds: float) -> None:
        self.csv_file = csv_file
        self.source = source
        self.keep_seconds = keep_seconds
        self.digest = hashlib.sha256()
        self.checksums = blocks.ChecksumWriter()
        self.size_bytes = 0
        self.kept_at = self.read_at = monotonic()

    def read(self, size: int | None = None) -> bytes:
        """Return the next block; without a size, BLOCK_BYTES.

        Only the last block is shorter than requested. Backends take a short block for the last
        one, but a source may return any number of bytes.
        """
        block = self._fill(BLOCK_BYTES if size is None or size < 0 else size)
        self.digest.update(block)
        self.checksums.update(block)
        self.size_bytes += len(block)
        self.read_at = monotonic()
        if monotonic() - self.kept_at > self.keep_seconds / 4:
            self.kept_at = monotonic()
            if not self.csv_file.keep(self.keep_seconds):
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
        """Yield all blocks; Django's file storage reads a file in this way."""
        while block := self.read(chunk_size or BLOCK_BYTES):
            yield block

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def seekable(self) -> bool:
        """Return False: it can only be read forwards."""
        return False

    def close(self) -> None:
        """Do nothing: the source belongs to the caller."""
