"""Verifies the bytes of a stored file against its checksums before a reader gets them."""

from __future__ import annotations

from collections.abc import Callable

from piston.readable import ReadableFile
from tasks_app.csv_files.blocks import Checksums, rows_between, unpack
from tasks_app.csv_files.reading import read_fully
from tasks_app.errors import StoredFileChanged, StoredFileMissing
from tasks_app.models import TaskCSV

PIECE_BYTES = 256 * 1024  # read at once from a file without checksums, from an older release


class VerifiedFile:
    """The bytes of a file from `start` up to `end`, each verified before `read` returns it.

    Whole blocks are read and verified in memory, and the reader gets exactly these bytes. `file`
    is at the start of the block with byte `start`. If a block has changed, `read` raises the error
    that `found_changed` returns.
    """

    def __init__(
        self,
        csv_file: TaskCSV,
        file: ReadableFile,
        start: int,
        end: int,
        found_changed: Callable[[TaskCSV, int, int], Exception],
    ) -> None:
        self._csv_file = csv_file
        self._file = file
        self._found_changed = found_changed
        self._checksums = checksums_of(csv_file)
        # the next byte to read from storage, and the exclusive end
        self._place, self._until = blocks_around(csv_file, start, end)
        self._start = start
        self._end = end
        self._ready = b""
        self._handed_out = 0  # bytes of `_ready`

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; b"" at the end."""
        if self._handed_out == len(self._ready):
            self._ready, self._handed_out = self._read_block(), 0
        piece = self._ready[self._handed_out : self._handed_out + size]
        self._handed_out += len(piece)
        return piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_block(self) -> bytes:
        """Return the part of the next block that is in the range, verified."""
        start = self._place
        if start == self._until:
            return b""
        end = min(start + unit_of(self._csv_file), self._until)
        block = read_fully(self._file, end - start)
        is_whole = len(block) == end - start
        if not is_whole or not (self._checksums is None or self._checksums.fit(block, start)):
            raise self._found_changed(self._csv_file, start, end)
        self._place = end
        return block[max(self._start - start, 0) : self._end - start]


def checksums_of(csv_file: TaskCSV) -> Checksums | None:
    """Return a file's checksums, None if it has none."""
    if csv_file.block_bytes is None or csv_file.checksums is None:
        return None
    return Checksums(csv_file.block_bytes, unpack(bytes(csv_file.checksums), "I"))


def unit_of(csv_file: TaskCSV) -> int:
    """Return how many bytes of a file are read at once."""
    return csv_file.block_bytes or PIECE_BYTES


def blocks_around(csv_file: TaskCSV, start: int, end: int) -> tuple[int, int]:
    """Return the start and end of the blocks that hold these bytes."""
    if csv_file.block_bytes is None:
        return start, end
    unit = csv_file.block_bytes
    last = min(-(-end // unit) * unit, csv_file.size_bytes)
    return start // unit * unit, max(last, end)


def describe_loss(
    csv_file: TaskCSV, error: StoredFileMissing, *, otherwise: range | None = None
) -> str:
    """Return the sentence for an owner whose input is missing or has changed, with the lost rows.

    If the error does not give the rows, they are `otherwise`, by default all rows.
    """
    rows = otherwise or range(1, csv_file.row_count + 1)
    what = "is missing"
    if isinstance(error, StoredFileChanged):
        what = "has changed since its upload"
        if csv_file.block_bytes and csv_file.block_rows:
            counts = unpack(bytes(csv_file.block_rows), "Q")
            rows = rows_between(counts, csv_file.block_bytes, error.start, error.end)
    return f"the input {what}: rows {rows.start} to {rows.stop - 1}"
