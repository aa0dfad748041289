"""Where does each row of a CSV file begin and end?

The scanner at upload and the reader in workers both ask here, so they cannot disagree. The grammar
is RFC 4180 as the `csv` module reads it in strict mode; what it refuses, `faults` explains.
"""

from __future__ import annotations

import csv
import io
import re
from codecs import utf_8_decode
from collections.abc import Iterator

# The module's own limit is 128 Ki characters, one for the whole process. Here cells are bounded by
# `limits.ScanLimits`, in bytes, when a file comes in.
csv.field_size_limit(2**31 - 1)

ANY_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]++")


class NulByteError(ValueError):
    """A line holds a NUL byte, which the csv module would let through."""


def rows_in(block: bytes, *, is_last: bool) -> Iterator[tuple[list[str], int, int]]:
    """Yield the cells, start and end (with its line end) of each complete row in `block`.

    `block` begins where a row begins. A blank line comes as a row without cells. Ends quietly in
    front of a row that is not complete or cannot be read; `faults.find_fault` tells which it is.
    """
    text = block if is_last else block[: complete_lines(block)]
    lines = _LinesOfAnyKind(text) if has_lone_return(text) else io.BytesIO(text)
    decode = _decode_without_nul if b"\0" in text else bytes.decode
    start = 0
    try:
        for cells in csv.reader(map(decode, lines), strict=True):
            end = lines.tell()  # csv.reader takes no line before it needs it
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
    r"""Return how many bytes are complete lines; a `\r` at the end may yet become a `\r\n`."""
    return max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1


def tame_bytes(block: bytes) -> int:
    """Return how many bytes come before the first NUL and the first that is not UTF-8."""
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
