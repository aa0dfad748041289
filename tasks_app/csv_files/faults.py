"""Finds the first fault of a row, and its position.

This code is slow and exact. It checks only rows that are incomplete or that the faster scans
refused. It orders faults by the byte at which they show, so its answer does not depend on how a
file was cut into blocks.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from piston.plurals import plural
from tasks_app.csv_files.limits import ScanLimits

CELL_START = re.compile(rb'"[^"]*+(?:""[^"]*+)*+|[^,\r\n]*+')  # without a final quote
MAX_CHARACTER_BYTES = 4  # bytes of UTF-8


class Fault(NamedTuple):
    """A fault of a row: `shows_at` orders faults, `points_to` is the position to report."""

    reason: str
    shows_at: int
    points_to: int
    expected: int | None = None
    got: int | None = None


class _Walk(NamedTuple):
    """How far the cells of a row were followed, and why that ended."""

    end: int  # of the row, without its line end; of the block, if the row continues
    is_complete: bool
    fault: Fault | None


def find_fault(
    block: bytes,
    *,
    is_last: bool,
    limits: ScanLimits,
    offset: int,
    width: int | None,
) -> Fault | None:
    """Return the first fault of the first row in `block`, or None if it shows none so far.

    Positions count from the beginning of `block`, which is byte `offset` of the file. `width` None
    means that the row is the header, which may have any width up to `limits.columns`.
    """
    start = len(block) - len(block.lstrip(b"\r\n"))
    walk = _walk(block, start, is_last=is_last, limits=limits, width=width)
    faults = [
        _nul_byte(block, start, walk.end, offset),
        _invalid_utf8(block, start, walk.end, offset),
        walk.fault,
        _row_too_long(start, walk.end, limits.longest_row_bytes),
    ]
    first = min(filter(None, faults), key=lambda fault: fault.shows_at, default=None)
    if first and not (walk.is_complete or is_last):
        # the block may end inside a character, so a fault in its last bytes is not certain yet
        return first if first.shows_at <= len(block) - MAX_CHARACTER_BYTES else None
    return first


def _walk(
    block: bytes, start: int, *, is_last: bool, limits: ScanLimits, width: int | None
) -> _Walk:
    """Follow the row's cells to its end, to the end of `block`, or to a fault."""
    number = 1
    begin = start
    while begin < len(block) or is_last:
        if number > limits.columns:  # stop here: there may be millions
            what = "header" if width is None else "row"
            reason = f"the {what} has more columns than the limit of {limits.columns}"
            return _Walk(len(block), False, Fault(reason, begin, start, expected=limits.columns))
        end, is_open = _cell_end(block, begin)
        if end - begin > limits.cell_bytes:
            most = f"{limits.cell_bytes} {plural('byte', limits.cell_bytes)}"
            reason = f"cell {number} is longer than the limit of {most}"
            fault = Fault(reason, begin + limits.cell_bytes, begin, expected=limits.cell_bytes)
            return _Walk(len(block), False, fault)
        if is_open and is_last:
            reason = f"the quote that opens cell {number} is never closed"
            return _Walk(len(block), False, Fault(reason, len(block), begin))
        if is_open or (end == len(block) and not is_last):
            break
        follower = block[end : end + 1]
        if follower == b",":
            number += 1
            begin = end + 1
        elif follower in (b"\r", b"\n", b""):
            return _Walk(end, True, _wrong_width(start, end, expected=width, got=number))
        else:
            reason = f"text after the closing quote of cell {number}"
            return _Walk(len(block), False, Fault(reason, end, end))
    return _Walk(len(block), False, None)


def _cell_end(block: bytes, begin: int) -> tuple[int, bool]:
    """Return where the cell ends, and whether its quote is still open there."""
    match = CELL_START.match(block, begin)
    end = match.end() if match else begin  # the pattern always matches: a cell may be empty
    if not block.startswith(b'"', begin):
        return end, False
    return (end + 1, False) if block.startswith(b'"', end) else (end, True)


def _wrong_width(start: int, end: int, *, expected: int | None, got: int) -> Fault | None:
    if expected is None or got == expected or start == end:
        return None
    longer_or_shorter = "longer" if got > expected else "shorter"
    return Fault(f"the row is {longer_or_shorter} than the header", end, start, expected, got)


def _nul_byte(block: bytes, start: int, end: int, offset: int) -> Fault | None:
    position = block.find(b"\0", start, end)
    if position < 0:
        return None
    return Fault(f"a NUL byte at byte offset {offset + position}", position, position)


def _invalid_utf8(block: bytes, start: int, end: int, offset: int) -> Fault | None:
    try:
        block[start:end].decode()
    except UnicodeDecodeError as error:
        position = start + error.start
        reason = f"not UTF-8: byte 0x{block[position]:02x} at byte offset {offset + position}"
        return Fault(reason, position, position)
    return None


def _row_too_long(start: int, end: int, limit: int) -> Fault | None:
    if end - start <= limit:
        return None
    reason = f"the row is longer than the limit of {limit} {plural('byte', limit)}"
    return Fault(reason, start + limit, start, expected=limit)
