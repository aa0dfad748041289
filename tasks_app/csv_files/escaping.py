"""Escapes a CSV for spreadsheets, which would run a cell such as `=…` as a formula.

A `'` is inserted before a cell's first = + - or @, if only characters precede it that a
spreadsheet may drop: blanks, controls, zero-width characters. Full-width and other compatible
forms of these signs count too, since Excel accepts them in some languages. A cell that begins with
TAB, CR or LF also gets a `'` (OWASP, "CSV Injection"). All other bytes stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from tasks_app.csv_files.header import UTF8_BOM

SIGNS = "=+-@⁺⁼₊₌﬩﹢﹣﹦﹫＋－＝＠"  # noqa: RUF001 - all that Unicode's NFKC makes = + - or @
SIGN = b"(?:%b)" % b"|".join(re.escape(sign.encode()) for sign in SIGNS)
# Invisible characters in UTF-8: controls, white space, and Unicode's default-ignorable ones
UNSEEN = rb"""(?: [\x00-\x08\x0b\x0c\x0e-\x20\x7f] | \xc2[\x80-\xa0\xad] | \xcd\x8f | \xd8\x9c
    | \xe1(?:\x85[\x9f\xa0]|\x9a\x80|\x9e[\xb4\xb5]|\xa0[\x8b-\x8f])
    | \xe2(?:\x80[\x80-\x8f\xa8-\xaf]|\x81[\x9f-\xaf]) | \xe3(?:\x80\x80|\x85\xa4)
    | \xef(?:\xb8[\x80-\x8f]|\xbb\xbf|\xbe\xa0|\xbf[\xb0-\xbb])
    | \xf0(?:\x9b\xb2[\xa0-\xa3]|\x9d\x85[\xb3-\xba]) | \xf3\xa0[\x80-\xbf][\x80-\xbf] )"""
# The first byte of nearly all cells: it begins neither a sign nor an invisible character
PLAIN = rb"[!#-*.-<>?A-~\x80-\xc1\xc3-\xcc\xce-\xd7\xd9-\xe0\xe4-\xee\xf1\xf2\xf4-\xff]"

HARMLESS_CELLS = re.compile(  # whole cells with their separators, as many as there are
    rb"""(?: %(plain)b [^,\r\n]*+ [,\r\n]
           | [,\r\n]
           | "(?=%(plain)b|") [^"]*+ (?:""[^"]*+)*+ " [,\r\n] )*+"""
    % {b"plain": PLAIN},
    re.VERBOSE,
)
# The start of a cell without quotes, and of one with quotes. LibreOffice reads ` "=1"` as `=1`
BARE_START = rb'(?: %b (?:%b|[\t"])*+ )?+' % (UNSEEN, UNSEEN)
QUOTED_START = rb'" (?:%b|[\t\r\n])*+' % UNSEEN
FORMULA = re.compile(  # up to where the apostrophe goes
    rb'"?(?=\t) | "(?=[\r\n]) | (?:%b | %b)(?=%b)' % (BARE_START, QUOTED_START, SIGN), re.VERBOSE
)
STARTS = re.compile(rb"(?:%b | %b)" % (BARE_START, QUOTED_START), re.VERBOSE)
CELL = re.compile(rb'"[^"]*+(?:""[^"]*+)*+(?P<closed>"[^,\r\n]*+)?|[^,\r\n]*+')
CUT_CHARACTER = re.compile(
    rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)


def escape_for_spreadsheets(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the CSV in `blocks`, escaped block by block; a block may end anywhere."""
    remaining = iter(blocks)
    beginning = b""
    while len(beginning) < len(UTF8_BOM) and (block := next(remaining, None)) is not None:
        beginning += block
    if beginning.startswith(UTF8_BOM):
        yield UTF8_BOM
        beginning = beginning[len(UTF8_BOM) :]
    cell = b""
    for block in whole_characters(chain([beginning], remaining)):
        escaped, next_cell = _escape(cell + block)
        yield escaped[len(cell) :]
        cell = next_cell


def whole_characters(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in blocks that never end inside a UTF-8 character."""
    cut = b""
    for block in blocks:
        text = cut + block
        cut_character = CUT_CHARACTER.search(text, max(len(text) - 3, 0))
        end = cut_character.start() if cut_character else len(text)
        cut = text[end:]
        yield text[:end]
    yield cut


def _escape(text: bytes) -> tuple[bytes, bytes]:
    """Return `text` escaped, and a short stand-in for the unfinished cell at its end.

    The next block is parsed as the continuation of the stand-in. So a long cell need not be kept,
    and a formula is found even if its quote and its `=` came in different blocks.
    """
    pieces = []
    copied = position = 0
    stand_in = b""
    while (position := _end(HARMLESS_CELLS, text, position)) < len(text):
        formula = FORMULA.match(text, position)
        if formula:
            pieces += [text[copied : formula.end()], b"'"]
            copied = formula.end()
        start = position
        position = _end(CELL, text, position)
        if position == len(text):
            stand_in = _stand_in(text[start:], is_escaped=bool(formula))
    pieces.append(text[copied:])
    return b"".join(pieces), stand_in


def _stand_in(cell: bytes, *, is_escaped: bool) -> bytes:
    """Return the shortest harmless cell that continues like this one."""
    is_beginning = not is_escaped and STARTS.fullmatch(cell)
    if not cell.startswith(b'"'):
        return b" " if is_beginning else b"x"
    if len(cell) == 1:
        return cell
    if is_beginning:
        return b'" '
    match = CELL.match(cell)
    closed = match and match["closed"]
    if not closed:
        return b'"x'
    return b'"x"' if closed == b'"' else b"x"


def _end(pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
    """Return where the match at `position` ends; the patterns here match everywhere."""
    match = pattern.match(text, position)
    return match.end() if match else position
