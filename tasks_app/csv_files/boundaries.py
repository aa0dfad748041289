"""Finds where each row of a CSV file begins and ends.

The scanner at upload and the reader in workers share this code, so they cannot disagree. The
grammar is RFC 4180, as the `csv` module reads it in strict mode. `faults` explains what it refuses.
"""

from __future__ import annotations

import csv
import io
import re
from codecs import utf_8_decode
from collections.abc import Iterator

# The csv module's own limit is 128 Ki characters, for the whole process. Instead,
# `limits.ScanLimits` bounds cells in bytes at upload.
csv.field_size_limit(2**31 - 1)

ANY_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]++")


class NulByteError(ValueError):
    """A line holds a NUL byte, which the csv module would accept."""


def rows_in(block: bytes, *, is_last: bool) -> Iterator[tuple[list[str], int, int]]:
    """Yield the cells, start and end (with its line end) of each complete row in `block`.

    `block` begins where a row begins. A blank line yields a row without cells. The iterator ends
    before a row that is incomplete or invalid; `faults.find_fault` tells which it is.
    """
    text = block if is_last else block[: complete_lines(block)]
    lines = _LinesOfAnyKind(text) if has_lone_return(text) else io.BytesIO(text)
    decode = _decode_without_nul if b"\0" in text else bytes.decode
    start = 0
    try:
        for cells in csv.reader(map(decode, lines), strict=True):
            end = lines.tell()  # csv.reader never reads a line ahead
            yield cells, start, end
            start = end
    except (csv.Error, UnicodeDecodeError, NulByteError):
        return


def count_line_ends(text: bytes) -> int:
    r"""Return how many line ends (`\n`, `\r\n`, lone `\r`) there are in `text`."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def has_lone_return(text: bytes) -> bool:
    r"""Say whether `text` holds a `\r` that no `\n` follows."""
    return b"\r" in text and text.count(b"\r") > text.count(b"\r\n")


def complete_lines(block: bytes) -> int:
    r"""Return how many bytes are complete lines; a final `\r` may be the start of a `\r\n`."""
    return max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1


def valid_prefix_bytes(block: bytes) -> int:
    """Return how many bytes come before the first NUL byte or the first invalid UTF-8."""
    length = block.find(b"\0")
    if length < 0:
        length = len(block)
    try:
        if not block.isascii():
            utf_8_decode(block)  # its last character may be cut off
    except UnicodeDecodeError as error:
        return min(length, error.start)
    return length


class _LinesOfAnyKind:
    r"""Read lines like a file, but let a lone `\r` end one as well."""

    def __init__(self, text: bytes) -> None:
        self._matches = ANY_LINE.finditer(text)
        self._end = 0

    def __iter__(self) -> Iterator[bytes]:
        for match in self._matches:
            self._end = match.end()
            yield match.group()

    def tell(self) -> int:
        return self._end


def _decode_without_nul(line: bytes) -> str:
    if b"\0" in line:
        raise NulByteError
    return line.decode()
