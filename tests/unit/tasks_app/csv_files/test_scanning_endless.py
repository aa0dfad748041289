"""Is an endless upload refused in bounded memory and time?"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.scanning import Scanner
from tasks_app.errors import CSVFormatError, FieldErrors, PistonError
from tests.unit.tasks_app.csv_files.reference import WAYS, every_way

MEBIBYTE = 2**20
BLOCK_BYTES = 64 * 1024
LIMITS = ScanLimits(columns=1_000, cell_bytes=MEBIBYTE, rows=50_000_000)
COLUMNS = {"id": True, "number": False}
HEADER = b"id,number\n"
MAX_BYTES = 20 * MEBIBYTE  # longer than the longest row; then the stream ends after all
FEW_BYTES = 2 * MEBIBYTE  # of rows that are in order: memory would show by then
MAX_MEMORY_BYTES = 6 * LIMITS.longest_row_bytes  # a row, its copies while it grows, its cells

# a beginning, the bytes that are repeated after it, and the scanner's final answer
ENDLESS = {
    "quoted cell": (HEADER + b'"', b"x", "cell 1 is longer than the limit of 1048576 bytes"),
    "quoted cell of line ends": (HEADER + b'"', b"\r\n", "cell 1 is longer"),
    "quoted cell of quotes": (HEADER + b'"', b'""', "cell 1 is longer"),
    "cell": (HEADER, b"x", "cell 1 is longer"),
    "cell of lone quotes": (HEADER + b"x", b'"', "cell 1 is longer"),
    "row of long cells": (HEADER, b"x" * 32_767 + b",", "the row is longer than the limit"),
    "row of empty cells": (HEADER, b",", "the row has more columns than the limit of 1000"),
    "row of short cells": (HEADER, b"ab,", "the row has more columns than the limit"),
    "row of quoted cells": (HEADER, b'"a",', "the row has more columns than the limit"),
    "header cell": (b"", b"x", "cell 1 is longer"),
    "header": (b"", b"x,", "more columns than the limit of 1000"),
    "quoted header": (b'"', b"x\n", "cell 1 is longer"),
    "blank lines": (HEADER, b"\n", "there is no row"),
    "lone returns": (b"", b"\r", "there is no header"),
    "rows": (HEADER, b"a,b\n", None),
    "rows with lone quotes": (HEADER, b'a,5"\n', None),
    "rows with lone returns": (HEADER, b"a,b\r", None),
    "rows of quoted line ends": (HEADER, b'a,"\n"\n', None),
    "missing values": (HEADER, b',"b"\n', "FieldErrors"),
    "unknown column": (b"id,wef\n", b"a,b\n", "FieldErrors"),
}


def stream(beginning: bytes, repeated: bytes, size: int) -> Iterator[bytes]:
    """Yield the same block object repeatedly, so that only the scanner's memory is measured."""
    block = repeated * (BLOCK_BYTES // len(repeated))
    return chain([beginning], repeat(block, size // len(block)))


def scan(blocks: Iterator[bytes], *, way: str) -> PistonError | None:
    scanner = Scanner(COLUMNS, LIMITS, quick_scan=WAYS[way])
    try:
        for block in blocks:
            scanner.feed(block)
        scanner.close()
    except (CSVFormatError, FieldErrors) as error:
        return error
    return None


def peak_of(blocks: Iterator[bytes], *, way: str) -> tuple[PistonError | None, int]:
    """Return the result of a scan, and its peak memory."""
    tracemalloc.start()
    try:
        error = scan(blocks, way=way)
        return error, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@every_way
@pytest.mark.parametrize("kind", ENDLESS)
def test_an_endless_stream_ends_where_a_limit_says(kind: str, way: str) -> None:
    beginning, repeated, words = ENDLESS[kind]

    has_rows = words in {None, "FieldErrors"}
    blocks = stream(beginning, repeated, FEW_BYTES if has_rows else MAX_BYTES)

    error, peak_bytes = peak_of(blocks, way=way)

    assert peak_bytes < (FEW_BYTES + 16 * MEBIBYTE if has_rows else MAX_MEMORY_BYTES)
    if words is None:
        assert error is None
    elif words == "FieldErrors":
        assert isinstance(error, FieldErrors)
    else:
        assert isinstance(error, CSVFormatError)
        assert words in error.reason


@every_way
@pytest.mark.parametrize("cell", [b"", b"a", b"ab", b'"ab"'])
def test_a_row_of_millions_of_cells_is_refused_without_a_look_at_them(
    cell: bytes, way: str
) -> None:
    """Gzipped, such a row takes a few kilobytes; following each cell took half a minute."""
    row = (cell + b",") * (15 * MEBIBYTE // (len(cell) + 1))
    started = time.process_time()

    error = scan(chain([HEADER, row], [b"x\n", b"a,b\n"]), way=way)

    assert isinstance(error, CSVFormatError)
    assert (error.row, error.line, error.expected) == (1, 2, LIMITS.columns)
    assert time.process_time() - started < 2
