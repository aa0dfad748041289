"""Which rows does a block hold, and which lack a mandatory value? With numpy, at 1 GB/s.

For machines on which `compiled_scan` could not be compiled. It leaves a few rarities to
`plain_scan`, such as a lone quote or a lone carriage return.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TypeAlias

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else numpy starts idle threads per process

import numpy as np
import numpy.typing as npt

from tasks_app.csv_files.boundaries import tame_bytes
from tasks_app.csv_files.plain_scan import BlockScan, RowForm

Bytes: TypeAlias = npt.NDArray[np.uint8]
Flags: TypeAlias = npt.NDArray[np.bool_]
Positions: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint64]  # 64 flags each, the first one in the lowest bit

ONE, LAST, EVERY_FLAG = np.array([1, 63, 2**64 - 1], np.uint64)  # of a word's flags
LINE_FEED, CARRIAGE_RETURN, QUOTE, COMMA = b'\n\r",'
UNSET_CELL = re.compile(rb'(?:[ \t]*+|"[ \t]*+")(?=[,\r\n])')

# What the first byte of a cell says about its being unset; the second byte of a MAYBE, likewise.
NO, MAYBE, YES = range(3)
FIRST_BYTE = np.zeros(256, np.uint8)
FIRST_BYTE[list(b' \t"')] = MAYBE
FIRST_BYTE[list(b",\r\n")] = YES  # the cell has no byte: this is what follows it


def scan_block(block: bytes, form: RowForm) -> BlockScan:
    """Return the rows that `block` certainly begins with, as far as they end in a line feed."""
    nothing = BlockScan()
    length = block.rfind(b"\n", 0, tame_bytes(block)) + 1
    codes = np.frombuffer(block, np.uint8, length)
    ends_line = codes == LINE_FEED
    separates = ends_line | (codes == COMMA)
    has_returns = b"\r" in block
    if has_returns:
        separates = separates[: _before_lone_return(codes, ends_line)]
    if b'"' in block:
        separates = _outside_quotes(codes[: separates.size], separates, has_returns=has_returns)
    cells = _lay_out(codes, np.flatnonzero(separates), form.width)
    if cells is None:
        return nothing
    starts, stops = cells
    row_ends = stops[:, -1] + 1
    if length > form.limits.cell_bytes and _longest(row_ends) > form.limits.cell_bytes:
        return nothing
    used = int(row_ends[-1])
    unset_rows = _unset_rows(block, codes, starts, form.mandatory)
    return BlockScan(used, row_ends, unset_rows, int(np.count_nonzero(ends_line[:used])))


def _before_lone_return(codes: Bytes, ends_line: Flags) -> int:
    """Return where the first carriage return stands that no line feed follows."""
    lone = np.flatnonzero((codes[:-1] == CARRIAGE_RETURN) & ~ends_line[1:])
    return int(lone[0]) if lone.size else codes.size


def _longest(row_ends: Positions) -> int:
    return int(np.max(np.diff(row_ends, prepend=0)))


def _outside_quotes(codes: Bytes, separates: Flags, *, has_returns: bool) -> Flags:
    """Return the separators that no quotes enclose, up to the first quote in an odd place.

    After an odd number of quotes one is inside. That is exact as long as each quote that opens
    follows a separator, and one stands after each that closes; a doubled quote closes and opens.
    """
    separators = _pack(separates)
    quotes = _pack(codes == QUOTE)
    inside = _parity(quotes)
    edges = separators | quotes
    if has_returns:
        edges |= _pack(codes == CARRIAGE_RETURN)
    before = np.left_shift(edges, ONE)
    before[1:] |= edges[:-1] >> LAST
    before[:1] |= ONE  # a row begins here
    after = np.right_shift(edges, ONE)
    after[:-1] |= edges[1:] << LAST
    odd = _first(quotes & ~(after ^ (inside & (before ^ after))))
    return _unpack(separators & ~inside, codes.size)[:odd]


def _first(flags: Words) -> int | None:
    """Return the place of the first flag, or None."""
    words = np.flatnonzero(flags)
    if not words.size:
        return None
    word = int(flags[words[0]])
    return 64 * int(words[0]) + (word & -word).bit_length() - 1


def _parity(flags: Words) -> Words:
    """Flag each place that has an odd number of flags up to and including itself."""
    odd = flags.copy()
    shifted = np.empty_like(odd)
    for distance in (1, 2, 4, 8, 16, 32):
        odd ^= np.left_shift(odd, distance, out=shifted)
    carries = np.bitwise_xor.accumulate(odd >> LAST)
    odd[1:] ^= carries[:-1] * EVERY_FLAG
    return odd


def _pack(flags: Flags) -> Words:
    octets = np.packbits(flags, bitorder="little")
    words = np.zeros(-(-octets.size // 8), "<u8")
    words.view(np.uint8)[: octets.size] = octets
    return words


def _unpack(words: Words, count: int) -> Flags:
    return np.unpackbits(words.view(np.uint8), count=count, bitorder="little").view(np.bool_)


def _lay_out(codes: Bytes, stops: Positions, width: int) -> tuple[Positions, Positions] | None:
    """Return where each cell starts and stops, a row per row; None if a row has another width.

    `stops` are the separators. What follows the last that ends a row is left out.
    """
    starts = np.empty_like(stops)
    starts[:1] = 0
    starts[1:] = stops[:-1] + 1
    ends_row = codes[stops] == LINE_FEED
    if width == 1 or not _is_regular(ends_row, width):
        is_cell = ~_are_blank_lines(codes, starts, stops, ends_row)
        starts, stops, ends_row = starts[is_cell], stops[is_cell], ends_row[is_cell]
        if not _is_regular(ends_row, width):
            return None
    cell_count = np.count_nonzero(ends_row) * width
    return starts[:cell_count].reshape(-1, width), stops[:cell_count].reshape(-1, width)


def _is_regular(ends_row: Flags, width: int) -> bool:
    """Say whether each `width`th separator ends a row and no other one does."""
    row_count = int(np.count_nonzero(ends_row))
    lasts = ends_row[width - 1 : row_count * width : width]
    return 0 < row_count == lasts.size and bool(np.all(lasts))


def _are_blank_lines(codes: Bytes, starts: Positions, stops: Positions, ends_row: Flags) -> Flags:
    """Flag the separators that end a line without a byte, or with a carriage return only."""
    begins_row = np.roll(ends_row, 1)
    begins_row[:1] = True
    length = stops - starts
    is_empty = (length == 0) | ((length == 1) & (codes[starts] == CARRIAGE_RETURN))
    blank: Flags = begins_row & ends_row & is_empty
    return blank


def _unset_rows(
    block: bytes, codes: Bytes, starts: Positions, mandatory: Sequence[int]
) -> list[int]:
    """Return the places of the rows in which a mandatory cell is unset."""
    if not mandatory:
        return []
    begins = starts.take(mandatory, axis=1)  # `[:, …]` would be copied below
    odd = np.flatnonzero(codes[begins] <= COMMA)  # as separators, blanks and quotes all are
    if not odd.size:
        return []
    begins = begins.ravel()[odd]
    verdict = FIRST_BYTE[codes[begins]]
    is_unset = verdict == YES
    maybe = np.flatnonzero(verdict == MAYBE)
    maybe = maybe[FIRST_BYTE[codes[begins[maybe] + 1]] != NO]
    for place in maybe.tolist():
        is_unset[place] = UNSET_CELL.match(block, begins[place]) is not None
    return sorted(set((odd[is_unset] // len(mandatory)).tolist()))
