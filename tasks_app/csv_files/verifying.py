"""How are the bytes of a stored file read so that only those that were stored are handed out?"""

from __future__ import annotations

from collections.abc import Callable

from piston.readable import ReadableFile
from tasks_app.csv_files.blocks import Checksums, rows_between, unpack
from tasks_app.csv_files.reading import read_fully
from tasks_app.errors import StoredFileChanged, StoredFileMissing
from tasks_app.models import TaskCSV

PIECE_BYTES = 256 * 1024  # read at once of a file without checksums: one of an older release


class VerifiedFile:
    """The bytes of a file from `start` up to `end`, each verified before it is handed out.

    Whole blocks are read and verified in memory; these very bytes are what the reader gets. `file`
    stands where the block of byte `start` begins. What `found_changed` returns of a block that is
    not as it was stored is raised.
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
        # the next byte to be read from storage, and the one behind the last
        self._place, self._until = blocks_around(csv_file, start, end)
        self._start = start
        self._end = end
        self._ready = b""
        self._handed_out = 0  # bytes of what is ready

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""
        if self._handed_out == len(self._ready):
            self._ready, self._handed_out = self._read_block(), 0
        piece = self._ready[self._handed_out : self._handed_out + size]
        self._handed_out += len(piece)
        return piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_block(self) -> bytes:
        """Return the next block, verified, without what lies outside of the range."""
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
    """Return a file's checksums; None when it has none."""
    if csv_file.block_bytes is None or csv_file.checksums is None:
        return None
    return Checksums(csv_file.block_bytes, unpack(bytes(csv_file.checksums), "I"))


def unit_of(csv_file: TaskCSV) -> int:
    """Return how many bytes of a file are read at once."""
    return csv_file.block_bytes or PIECE_BYTES


def blocks_around(csv_file: TaskCSV, start: int, end: int) -> tuple[int, int]:
    """Return where the blocks that hold these bytes begin and end."""
    if csv_file.block_bytes is None:
        return start, end
    unit = csv_file.block_bytes
    last = min(-(-end // unit) * unit, csv_file.size_bytes)
    return start // unit * unit, max(last, end)


def describe_loss(
    csv_file: TaskCSV, error: StoredFileMissing, *, otherwise: range | None = None
) -> str:
    """Return what its owner is told of an input that is missing or has changed: which rows.

    All of them, or `otherwise`, where the error does not tell.
    """
    rows = otherwise or range(1, csv_file.row_count + 1)
    what = "is missing"
    if isinstance(error, StoredFileChanged):
        what = "has changed since its upload"
        if csv_file.block_bytes and csv_file.block_rows:
            counts = unpack(bytes(csv_file.block_rows), "Q")
            rows = rows_between(counts, csv_file.block_bytes, error.start, error.end)
    return f"the input {what}: rows {rows.start} to {rows.stop - 1}"
