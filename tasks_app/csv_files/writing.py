"""Encodes cells as lines of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

LINE_END = "\r\n"  # never written: it makes csv.writer quote cells that contain \r or \n


class Lines(list[str]):
    """A file for csv.writer, which writes once per row."""

    write = list.append


def encode_row(cells: Sequence[str]) -> bytes:
    """Return the line of one row, without line end; only cells that need quotes get them."""
    return encode_rows([cells])[0]


def encode_rows(rows: Iterable[Sequence[str]]) -> list[bytes]:
    r"""Return the line of each row, as `encode_row` does.

    A row with a single empty cell becomes `""`, because a blank line is not a row. A lone
    surrogate, which UTF-8 cannot encode, becomes `\udxxx`, so that every batch can be written.
    """
    lines = Lines()
    csv.writer(lines, lineterminator=LINE_END).writerows(rows)
    return [line[: -len(LINE_END)].encode(errors="backslashreplace") for line in lines]
