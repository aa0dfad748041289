"""Finds rows that lack a mandatory value, counts them all and keeps the first ones.

The compiled scanner (scan_block.c) finds them by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from categories.columns import is_unset

MAX_KEPT_ROWS = 100  # decisions §6
MAX_KEPT_BYTES = 2**20  # of all kept rows; the first one is kept whatever its length


def lacks_value(cells: Sequence[str], mandatory: Iterable[int]) -> bool:
    """Say whether a row has no value in one of the mandatory columns, given by their places."""
    return any(is_unset(cells[place]) for place in mandatory)


class MissingValues:
    """The number of rows that lack a mandatory value, and the text of the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.rows: list[str] = []
        self._bytes = 0

    def add(self, block: bytes, row_ends: Sequence[int], places: Sequence[int]) -> None:
        """Note the rows at `places`, indexes into `row_ends`, the row ends in `block`."""
        self.count += len(places)
        for place in places[: MAX_KEPT_ROWS - len(self.rows)]:
            row = block[row_start(row_ends, place) : row_ends[place]].strip(b"\r\n")
            self._bytes += len(row)
            if self.rows and self._bytes > MAX_KEPT_BYTES:
                break
            self.rows.append(row.decode())


def row_start(row_ends: Sequence[int], place: int) -> int:
    """Return where a row starts, or where the blank lines before it start."""
    return row_ends[place - 1] if place else 0
