"""At which byte does the row with a given number begin? Roughly, in flat memory."""

from __future__ import annotations

from collections.abc import Sequence

FIRST_SPACING = 100  # rows
MAX_CHECKPOINTS = 2_000


class Checkpoints:
    """Collect places where a file can be cut, evenly spaced, twice as far apart when too many.

    Each is (number of rows before it, byte offset): where a segment may begin.
    """

    def __init__(self, offset: int) -> None:
        self._entries = [(0, offset)]
        self._row_count = 0
        self._spacing = FIRST_SPACING

    def add(self, row_ends: Sequence[int], offset: int) -> None:
        """Note the ends of the next rows, counted from byte `offset` of the file."""
        first = self._spacing - 1 - self._row_count % self._spacing
        for place in range(first, len(row_ends), self._spacing):
            row_count = self._row_count + place + 1
            self._entries.append((row_count, offset + row_ends[place]))
        self._row_count += len(row_ends)
        while len(self._entries) > MAX_CHECKPOINTS:
            del self._entries[1::2]
            self._spacing *= 2

    def before_the_end(self) -> list[tuple[int, int]]:
        """Return those that have a row after them."""
        return [entry for entry in self._entries if entry[0] < self._row_count]
