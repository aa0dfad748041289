"""Reads the rows of a range of a scanned file, batch by batch, for workers."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from piston.readable import ReadableFile
from tasks_app.csv_files.boundaries import complete_lines, rows_in
from tasks_app.errors import CSVFormatError

BLOCK_BYTES = 128 * 1024  # parsed at once: about 1,500 rows, which fit the processor's cache
MAX_PENDING_BYTES = 256 * 2**20  # no scanned row is that long


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows; each list has one entry per row."""

    lines: list[bytes]  # as they stand in the file, without line end
    cells: list[list[str]]
    end_offsets: list[int]  # in the file, behind the row's line end: the cursor after this row
    is_last: bool  # no row follows in the range


class RowReader:
    """Read the rows of a range of a file, in memory that does not grow with the range.

    `file` is at byte `offset`, where a row begins: the end of the header's line, a checkpoint of
    the scan, or the end offset of a row read earlier. `end_offset` is another such position; None
    is the end of the file. Raises CSVFormatError if this is not the file that was scanned.
    """

    def __init__(
        self,
        file: ReadableFile,
        *,
        width: int,
        offset: int,
        end_offset: int | None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.offset = offset  # behind the rows that were taken
        self._file = file
        self._width = width
        self._parsed_blocks = _parse_blocks(file, offset, end_offset, block_bytes)
        self._lines: list[bytes] = []  # parsed; the first ones are taken
        self._cells: list[list[str]] = []
        self._end_offsets: list[int] = []
        self._taken_count = 0

    def take(self, count: int, *, max_bytes: int = sys.maxsize) -> Batch:
        """Return the next `count` rows, fewer if `max_bytes` or the range ends: at least one."""
        while self._needs_more(count, max_bytes) and self._parse_more():
            pass
        start = self._taken_count
        stop = min(start + count, len(self._lines))
        fitting = bisect_right(self._end_offsets, self.offset + max_bytes, start, stop)
        stop = min(stop, max(fitting, start + 1))
        self._taken_count = stop
        if stop > start:
            self.offset = self._end_offsets[stop - 1]
        return Batch(
            lines=self._lines[start:stop],
            cells=self._cells[start:stop],
            end_offsets=self._end_offsets[start:stop],
            is_last=stop == len(self._lines),
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _needs_more(self, count: int, max_bytes: int) -> bool:
        """Say whether the next batch, or the row that shows it is not the last, needs more."""
        row_count = len(self._lines) - self._taken_count
        has_enough_bytes = row_count > 1 and self._end_offsets[-1] - self.offset > max_bytes
        return row_count <= count and not has_enough_bytes

    def _parse_more(self) -> bool:
        """Parse one more block and drop the taken rows; return False at the end."""
        rows = next(self._parsed_blocks, None)
        if rows is None:
            return False
        if not set(map(len, rows.cells)) <= {self._width}:
            raise _not_the_scanned_file(f"a row has not the {self._width} cells of the header")
        self._lines[: self._taken_count] = []
        self._cells[: self._taken_count] = []
        self._end_offsets[: self._taken_count] = []
        self._taken_count = 0
        self._lines += rows.lines
        self._cells += rows.cells
        self._end_offsets += rows.ends
        return True


class _Rows(NamedTuple):
    """The rows of one block."""

    lines: list[bytes]
    cells: list[list[str]]
    ends: list[int]
    used_bytes: int


def _parse_blocks(
    file: ReadableFile, offset: int, end_offset: int | None, block_bytes: int
) -> Iterator[_Rows]:
    """Yield the rows of each block, their ends as offsets in the file."""
    end = sys.maxsize if end_offset is None else end_offset
    rest = b""
    is_last = False
    while not is_last:
        wanted = max(block_bytes, len(rest))  # doubling keeps the time for a long row linear
        block = rest + read_fully(file, min(wanted, end - offset - len(rest)))
        is_last = len(block) < len(rest) + wanted
        if is_last and end_offset is not None and offset + len(block) < end_offset:
            raise _not_the_scanned_file(f"it ends at byte {offset + len(block)}")
        rows = _parse(block, offset, is_last=is_last)
        rest = block[rows.used_bytes :]
        if rest and (is_last or len(rest) > MAX_PENDING_BYTES):
            raise _not_the_scanned_file(f"no row begins at byte {offset + rows.used_bytes}")
        offset += rows.used_bytes
        yield rows


def _parse(block: bytes, offset: int, *, is_last: bool) -> _Rows:
    """Return the complete rows of a block that begins at byte `offset` of the file."""
    try:
        return (_parse_with_quotes if b'"' in block else _parse_without_quotes)(
            block, offset, is_last=is_last
        )
    except UnicodeDecodeError as error:
        raise _not_the_scanned_file("it is not UTF-8") from error


def _parse_without_quotes(block: bytes, offset: int, *, is_last: bool) -> _Rows:
    """Return the rows of a block without quotes, one per line: three times as fast as `csv`."""
    text = block if is_last else block[: complete_lines(block)]
    lines = text.splitlines()
    ends = list(accumulate(map(len, text.splitlines(keepends=True)), initial=offset))[1:]
    if b"" in lines:
        ends = [end for end, line in zip(ends, lines, strict=True) if line]
        lines = [line for line in lines if line]
    return _Rows(lines, [line.decode().split(",") for line in lines], ends, len(text))


def _parse_with_quotes(block: bytes, offset: int, *, is_last: bool) -> _Rows:
    rows = _Rows([], [], [], 0)
    used = 0
    for cells, start, used in rows_in(block, is_last=is_last):
        if cells:
            rows.lines.append(block[start:used].rstrip(b"\r\n"))
            rows.cells.append(cells)
            rows.ends.append(offset + used)
    return rows._replace(used_bytes=used)


def read_fully(file: ReadableFile, size: int) -> bytes:
    """Read `size` bytes, or all that are left; a single read may return fewer."""
    pieces = []
    while size and (piece := file.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _not_the_scanned_file(how: str) -> CSVFormatError:
    return CSVFormatError(f"this is not the file that was scanned: {how}")
