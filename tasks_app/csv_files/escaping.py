"""How does a CSV become safe to open in a spreadsheet, which would run `=…` as a formula?

A cell that begins with one of = + - @ TAB CR gets a `'` in front (OWASP, "CSV Injection").
Everything else stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from tasks_app.csv_files.header import UTF8_BOM

HARMLESS_CELLS = re.compile(  # whole cells with their separators, as many as there are
    rb"""(?: [^=+\-@\t\r\n,"] [^,\r\n]*+ [,\r\n]
           | [,\r\n]
           | "(?![=+\-@\t\r]) [^"]*+ (?:""[^"]*+)*+ " [,\r\n] )*+""",
    re.VERBOSE,
)
FORMULA = re.compile(rb'[=+\-@\t]|"[=+\-@\t\r]')  # the beginning of a cell
CELL = re.compile(rb'"[^"]*+(?:""[^"]*+)*+(?P<closed>"[^,\r\n]*+)?|[^,\r\n]*+')


def escape_for_spreadsheets(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the CSV that `blocks` make up, escaped block by block; they may be cut anywhere."""
    remaining = iter(blocks)
    beginning = b""
    while len(beginning) < len(UTF8_BOM) and (block := next(remaining, None)) is not None:
        beginning += block
    if beginning.startswith(UTF8_BOM):
        yield UTF8_BOM
        beginning = beginning[len(UTF8_BOM) :]
    cell = b""
    for block in chain([beginning], remaining):
        escaped, next_cell = _escape(cell + block)
        yield escaped[len(cell) :]
        cell = next_cell


def _escape(text: bytes) -> tuple[bytes, bytes]:
    """Return `text` escaped, and a short stand-in for the cell that it ends in.

    The next block is read as if it went on behind the stand-in. So of a long cell nothing has to
    be kept, and a formula is found even if its quote and its `=` came in different blocks.
    """
    pieces = []
    copied = position = 0
    stand_in = b""
    while (position := _end(HARMLESS_CELLS, text, position)) < len(text):
        formula = FORMULA.match(text, position)
        if formula:
            sign = formula.end() - 1
            pieces += [text[copied:sign], b"'"]
            copied = sign
        start = position
        position = _end(CELL, text, position)
        if position == len(text):
            stand_in = _stand_in(text[start:])
    pieces.append(text[copied:])
    return b"".join(pieces), stand_in


def _stand_in(cell: bytes) -> bytes:
    """Return the shortest harmless cell that goes on like this one."""
    if not cell.startswith(b'"'):
        return b"x"
    if len(cell) == 1:
        return cell
    match = CELL.match(cell)
    closed = match and match["closed"]
    if not closed:
        return b'"x'
    return b'"x"' if closed == b'"' else b"x"


def _end(pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
    """Return where the match at `position` ends; the patterns here match everywhere."""
    match = pattern.match(text, position)
    return match.end() if match else position
