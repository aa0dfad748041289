"""The state of a scan: header, rows, checkpoints, missing values, and the position reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from tasks_app.csv_files.blocks import RowCounter
from tasks_app.csv_files.boundaries import count_line_ends, rows_in
from tasks_app.csv_files.faults import find_fault
from tasks_app.csv_files.header import UTF8_BOM, UTF16_BOMS, Header, check_names
from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.missing_values import MissingValues, row_start
from tasks_app.csv_files.plain_scan import BlockScan, QuickScan, RowForm, scan_block
from tasks_app.errors import CSVFormatError, FieldErrors

SCANNED_AFTER_FIELD_FAULT = 2**20  # bytes, so that a small file gets one full report
MAX_FAST_BYTES = 512 * 1024  # per call; a compiled scan needs up to four times as much in addition
MIN_PLAIN_BYTES = 4 * 1024  # a handful of rows
FIRST_SPACING = 100  # rows between two checkpoints
MAX_CHECKPOINTS = 2_000


class Contents:
    """The findings about a file, and the position up to which it was scanned.

    Its methods take the bytes from that position on and return those that they could not use yet.
    """

    def __init__(
        self, columns: Mapping[str, bool], limits: ScanLimits, quick_scan: QuickScan | None
    ) -> None:
        self.header = Header((), columns)
        self.header_line = b""
        self.data_offset = 0
        self.row_count = 0
        self.checkpoints = Checkpoints(0)
        self.row_counter = RowCounter()
        self._missing_values = MissingValues()
        self._limits = limits
        self._form = RowForm(0, (), limits)
        self._quick_scan = quick_scan
        self._plain_bytes = MIN_PLAIN_BYTES
        self._offset = 0  # bytes of the file that are scanned
        self._line_count = 0  # physical lines in them

    def scan(self, block: bytes, *, is_last: bool) -> bytes:
        """Scan all complete rows of `block`; raise at the first fault."""
        block = self._skip_blank_lines(block)
        if not self.header.names:
            block = self._scan_header(block, is_last=is_last)
        if not self.header.names:
            return block
        if self.header.has_faults:
            self._stop_if_far(block)
        return self._scan_rows(block, is_last=is_last)

    def finish(self) -> None:
        """Raise the faults that only a complete file shows."""
        if not self.header.names:
            raise CSVFormatError("there is no header: the file is empty or has only blank lines")
        if not self.row_count:
            raise CSVFormatError("there is no row after the header")
        if self.header.has_faults or self._missing_values.count:
            self._raise_field_errors()

    def _scan_header(self, block: bytes, *, is_last: bool) -> bytes:
        """Look for the first line that is not blank."""
        if self._offset == 0:
            block = self._without_byte_order_mark(block)
        used = 0
        for names, start, end in rows_in(block, is_last=is_last):
            if names:
                line = self._advance(block, start)[: end - start]
                self._check(line, is_last=True)
                self._begin(names, line)
                return self._advance(block[start:], len(line))
            used = end
        block = self._advance(block, used)
        self._check(block, is_last=is_last)
        return block

    def _without_byte_order_mark(self, block: bytes) -> bytes:
        if block.startswith(UTF16_BOMS):
            raise CSVFormatError("the file is UTF-16; it has to be UTF-8", line=1)
        return self._advance(block, len(UTF8_BOM)) if block.startswith(UTF8_BOM) else block

    def _begin(self, names: Sequence[str], line: bytes) -> None:
        """Store the header; `line` holds its raw bytes."""
        check_names(names, line=self._line_count + 1)
        self.header = Header(tuple(names), self.header.columns)
        self.header_line = line.rstrip(b"\r\n")
        self.data_offset = self._offset + len(line)
        self.checkpoints = Checkpoints(self.data_offset)
        self._form = RowForm(len(names), self.header.mandatory_places, self._limits)

    def _stop_if_far(self, block: bytes) -> None:
        """Raise the header's fault once enough was scanned after it."""
        room = self.data_offset + SCANNED_AFTER_FIELD_FAULT - self._offset
        if len(block) > room:
            self._scan_rows(block[: max(room, 0)], is_last=False)
            self._raise_field_errors()

    def _scan_rows(self, block: bytes, *, is_last: bool) -> bytes:
        if self._quick_scan is not None:
            block = self._scan_fast(block, self._quick_scan)
        if not is_last and is_short_beginning(block):
            return block
        block = self._add(block, scan_block(block, self._form, is_last=is_last))
        self._check(block, is_last=is_last)
        return block

    def _scan_fast(self, block: bytes, quick_scan: QuickScan) -> bytes:
        """Scan with `quick_scan`; where it stops, scan the next rows with the plain scan.

        If it stops often, double the bytes for the plain scan before the next attempt.
        """
        while b"\n" in block:
            block = self._skip_blank_lines(block)
            scan = quick_scan(block[:MAX_FAST_BYTES], self._form)
            block = self._add(block, scan)
            if scan.used_bytes > self._plain_bytes:
                self._plain_bytes = MIN_PLAIN_BYTES
            else:
                self._plain_bytes = min(2 * self._plain_bytes, MAX_FAST_BYTES)
            if is_short_beginning(block):
                break
            scan = scan_block(block[: self._plain_bytes], self._form, is_last=False)
            if not scan.used_bytes:
                break
            block = self._add(block, scan)
        return block

    def _add(self, block: bytes, scan: BlockScan) -> bytes:
        """Add the rows at the beginning of `block`; return the bytes after them."""
        room = self._limits.rows - self.row_count
        if len(scan.row_ends) > room:
            self._refuse_row_after(block, scan.row_ends, room)
        self._missing_values.add(block, scan.row_ends, scan.unset_rows)
        self.checkpoints.add(scan.row_ends, self._offset)
        self.row_counter.add(scan.row_ends, self._offset)
        self.row_count += len(scan.row_ends)
        self._offset += scan.used_bytes
        self._line_count += scan.line_count
        return block[scan.used_bytes :]

    def _skip_blank_lines(self, block: bytes) -> bytes:
        """Skip all blank lines at once, so that a file full of them is scanned quickly."""
        blank = len(block) - len(block.lstrip(b"\r\n"))
        if blank == len(block) and block.endswith(b"\r"):
            blank -= 1  # the first half of a `\r\n`, perhaps
        return self._advance(block, blank)

    def _advance(self, block: bytes, used: int) -> bytes:
        """Advance over bytes without rows; return the rest."""
        self._offset += used
        self._line_count += count_line_ends(block[:used])
        return block[used:]

    def _check(self, block: bytes, *, is_last: bool) -> None:
        """Raise the fault of the first row in `block`, if it shows one so far."""
        fault = find_fault(
            block,
            is_last=is_last,
            limits=self._limits,
            offset=self._offset,
            width=len(self.header.names) or None,
        )
        if fault is None:
            return
        raise CSVFormatError(
            fault.reason,
            row=self.row_count + 1 if self.header.names else None,
            line=self._line_count + count_line_ends(block[: fault.points_to]) + 1,
            expected=fault.expected,
            got=fault.got,
        )

    def _refuse_row_after(self, block: bytes, row_ends: Sequence[int], room: int) -> NoReturn:
        """Raise CSVFormatError for the row after the `room` rows that are still allowed."""
        row = block[row_start(row_ends, room) : row_ends[room]].lstrip(b"\r\n")  # no blank lines
        before = block[: row_ends[room] - len(row)]
        raise CSVFormatError(
            f"more rows than the limit of {self._limits.rows}",
            row=self._limits.rows + 1,
            line=self._line_count + count_line_ends(before) + 1,
            expected=self._limits.rows,
        )

    def _raise_field_errors(self) -> NoReturn:
        raise FieldErrors(
            self.header.unknown_fields,
            self.header.missing_mandatory_fields,
            self._missing_values.rows,
            self._missing_values.count,
            did_you_mean=self.header.did_you_mean,
        )


def is_short_beginning(block: bytes) -> bool:
    """Say whether `block` is only the short beginning of a row, which is checked with its rest."""
    return len(block) < MIN_PLAIN_BYTES and b"\n" not in block and b"\r" not in block


class Checkpoints:
    """Collect the evenly spaced positions at which a segment may begin.

    Each is (number of rows before it, byte offset). If there are too many, every second one goes.
    """

    def __init__(self, offset: int) -> None:
        self._entries = [(0, offset)]
        self._row_count = 0
        self._spacing = FIRST_SPACING

    def add(self, row_ends: Sequence[int], offset: int) -> None:
        """Note the ends of the next rows, counted from byte `offset` of the file."""
        first = self._spacing - 1 - self._row_count % self._spacing
        for place in range(first, len(row_ends), self._spacing):
            row_count = self._row_count + place + 1
            self._entries.append((row_count, offset + row_ends[place]))
        self._row_count += len(row_ends)
        while len(self._entries) > MAX_CHECKPOINTS:
            del self._entries[1::2]
            self._spacing *= 2

    def before_the_end(self) -> list[tuple[int, int]]:
        """Return the checkpoints with a row after them."""
        return [entry for entry in self._entries if entry[0] < self._row_count]
