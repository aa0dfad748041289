"""How do cells become lines of a CSV file?"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

LINE_END = "\r\n"  # never written: csv.writer quotes cells with a character of its line end


class Lines(list[str]):
    """What csv.writer takes for a file; it writes once per row."""

    write = list.append


def encode_row(cells: Sequence[str]) -> bytes:
    """Return the line of one row, without line end; cells are quoted only where needed."""
    return encode_rows([cells])[0]


def encode_rows(rows: Iterable[Sequence[str]]) -> list[bytes]:
    r"""Return the line of each row, as `encode_row` does.

    The only cell of a row is `""` when it is empty, for a blank line is no row. A lone surrogate,
    which has no UTF-8, becomes `\udxxx`: no text can keep a batch from being written.
    """
    lines = Lines()
    csv.writer(lines, lineterminator=LINE_END).writerows(rows)
    return [line[: -len(LINE_END)].encode(errors="backslashreplace") for line in lines]
