"""What should the scanner say? Two slow oracles that see the whole file at once.

`rows_of` is the standard csv module. `first_fault` reads byte by byte and knows the rules.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.plain_scan import QuickScan
from tasks_app.csv_files.scanning import COMPILED_SCAN, Scan, Scanner
from tasks_app.errors import CSVFormatError, FieldErrors

WAYS: dict[str, QuickScan | None] = {"plain": None}
if COMPILED_SCAN is not None:
    WAYS["compiled"] = COMPILED_SCAN
with_compiler = pytest.mark.skipif(
    COMPILED_SCAN is None, reason="scan_block.c is not compiled: there was no C compiler (cc)"
)
every_way = pytest.mark.parametrize("way", ["plain", pytest.param("compiled", marks=with_compiler)])

BOM = b"\xef\xbb\xbf"
LIMITS = ScanLimits(columns=1_000, cell_bytes=2**20, rows=50_000_000)

Outcome = Any  # a Scan, or a tuple that begins with the name of the error


def outcome(
    data: bytes,
    columns: Mapping[str, bool],
    limits: ScanLimits = LIMITS,
    *,
    way: str = "plain",
    sizes: Sequence[int] = (2**30,),
    **options: Any,
) -> Outcome:
    """Scan `data` in blocks of the given sizes, over and over; return the Scan or its error."""
    scanner = Scanner(columns, limits, quick_scan=WAYS[way], **options)
    return caught(lambda: feed(scanner, cut(data, sizes)))


def feed(scanner: Scanner, blocks: Iterator[bytes]) -> Scan:
    for block in blocks:
        scanner.feed(block)
    return scanner.close()


def cut(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    start = number = 0
    while start < len(data):
        size = sizes[number % len(sizes)]
        yield data[start : start + size]
        start += size
        number += 1


def caught(scan: Callable[[], Scan]) -> Outcome:
    try:
        return scan()
    except CSVFormatError as error:
        return ("CSVFormatError", error.reason, error.row, error.line, error.expected, error.got)
    except FieldErrors as error:
        return (
            "FieldErrors",
            error.unknown_fields,
            error.missing_mandatory_fields,
            error.missing_mandatory_values,
            error.missing_mandatory_values_count,
        )


def rows_of(data: bytes) -> list[tuple[list[str], bytes, int]]:
    """Return cells, raw line and end offset of each row of a good file, the header's too."""
    offset = len(BOM) if data.startswith(BOM) else 0
    lines = data[offset:].splitlines(keepends=True)
    reader = csv.reader((line.decode() for line in lines), strict=True)
    rows = []
    seen = 0
    for cells in reader:
        raw = b"".join(lines[seen : reader.line_num])
        seen = reader.line_num
        offset += len(raw)
        if cells:
            rows.append((cells, raw.rstrip(b"\r\n"), offset))
    return rows


def first_fault(data: bytes, limits: ScanLimits = LIMITS) -> Outcome | None:
    """Return what `caught` returns for the first fault of form, with a keyword as its reason."""
    return Walk(data, limits).first_fault()


class Walk:
    """Reads each byte once, in order."""

    def __init__(self, data: bytes, limits: ScanLimits) -> None:
        self.data = data
        self.limits = limits
        self.width: int | None = None
        self.row = 0  # the header is row 0
        self.line = 1
        self.bad_bytes = dict(bad_bytes(data))

    def first_fault(self) -> Outcome | None:
        at = len(BOM) if self.data.startswith(BOM) else 0
        while at < len(self.data):
            if self.data[at : at + 1] in (b"\n", b"\r"):
                at = self.behind_line_end(at)
                continue
            fault, at = self.walk_row(at)
            if fault:
                return fault
        if self.width is None:
            return self.error("no header", None, None)
        if self.row == 1:
            return self.error("no row", None, None)
        return None

    def walk_row(self, begin: int) -> tuple[Outcome | None, int]:
        at = cell = begin
        row_line = cell_line = self.line
        width = 1
        state = "start"
        while True:
            byte = self.data[at : at + 1]
            ends_row = byte == b"" or (byte in (b"\n", b"\r") and state != "quoted")
            ends_cell = ends_row or (byte == b"," and state != "quoted")
            is_text_after = state == "closed" and not ends_cell and byte != b'"'
            is_in_cell = not ends_cell and not is_text_after
            cell_bytes, row_bytes = self.limits.cell_bytes, self.limits.longest_row_bytes
            if at in self.bad_bytes:
                return self.error(self.bad_bytes[at], self.row, self.line), at
            if width > self.limits.columns:
                return self.error("more columns", self.row, row_line, self.limits.columns), at
            if is_in_cell and at - cell == cell_bytes:
                return self.error("cell", self.row, cell_line, cell_bytes), at
            if is_text_after:
                return self.error("text after the closing quote", self.row, self.line), at
            if byte == b"" and state == "quoted":
                return self.error("never closed", self.row, cell_line), at
            if not ends_row and at - begin == row_bytes:
                return self.error("the row is longer", self.row, row_line, row_bytes), at
            if ends_row:
                fault = self.check_row(self.data[begin:at], width, row_line)
                return fault, self.behind_line_end(at)
            at = self.behind_byte(at)
            if ends_cell:
                width += 1
                cell, cell_line, state = at, self.line, "start"
            else:
                state = NEXT_STATE.get((state, byte), "quoted" if state == "quoted" else "unquoted")

    def check_row(self, raw: bytes, width: int, line: int) -> Outcome | None:
        row, self.row = self.row, self.row + 1
        if self.width is None:
            self.width = width
            names = next(csv.reader([raw.decode()], strict=True))
            if any(not name.strip(" \t") for name in names):
                return self.error("no name", None, line)
            if len(set(names)) < len(names):
                return self.error("more than once", None, line)
        elif width != self.width:
            longer_or_shorter = "longer" if width > self.width else "shorter"
            reason = f"the row is {longer_or_shorter} than the header"
            return self.error(reason, row, line, self.width, width)
        elif row > self.limits.rows:
            return self.error("more rows", row, line, self.limits.rows)
        return None

    def behind_byte(self, at: int) -> int:
        is_second_half = self.data[at - 1 : at + 1] == b"\r\n" and at > 0
        if self.data[at : at + 1] in (b"\r", b"\n") and not is_second_half:
            self.line += 1
        return at + 1

    def behind_line_end(self, at: int) -> int:
        at = self.behind_byte(at)
        return self.behind_byte(at) if self.data[at - 1 : at + 1] == b"\r\n" else at

    def error(
        self,
        reason: str,
        row: int | None,
        line: int | None,
        expected: int | None = None,
        got: int | None = None,
    ) -> Outcome:
        return ("CSVFormatError", reason, row or None, line, expected, got)


NEXT_STATE = {
    ("start", b'"'): "quoted",
    ("quoted", b'"'): "closed",
    ("closed", b'"'): "quoted",
}


def bad_bytes(data: bytes) -> Iterator[tuple[int, str]]:
    start = len(BOM) if data.startswith(BOM) else 0
    try:
        data[start:].decode()
    except UnicodeDecodeError as error:
        yield start + error.start, "not UTF-8"
    if b"\0" in data:
        yield data.index(b"\0"), "NUL byte"
