"""Checksums and row counts at the end of each block of a file, to detect changed bytes.

A file is divided into blocks of equal length; the last one may be shorter. Larger files have
larger blocks, so a few thousand numbers suffice for any file.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from google_crc32c import extend

FIRST_BLOCK_BYTES = 256 * 1024
MAX_BLOCK_BYTES = 2**20  # bounds the memory of readers: a block is verified as a whole
MAX_BLOCKS = 1_024  # of less than MAX_BLOCK_BYTES; an even number


class BlockEnds:
    """Collect a number at the end of each block."""

    def __init__(self) -> None:
        self.block_bytes = FIRST_BLOCK_BYTES
        self._numbers: list[int] = []

    @property
    def next_end(self) -> int:
        """Where the next block ends, in bytes of the file."""
        return (len(self._numbers) + 1) * self.block_bytes

    def add(self, number: int) -> None:
        """Add the number at `next_end`; if there are too many blocks, merge them in pairs."""
        self._numbers.append(number)
        if len(self._numbers) == MAX_BLOCKS and self.block_bytes < MAX_BLOCK_BYTES:
            del self._numbers[::2]
            self.block_bytes *= 2

    def close(self, size: int, number: int) -> list[int]:
        """Return the numbers of a file of `size` bytes; `number` is the one at its end."""
        while self.next_end <= size:
            self.add(number)
        return self._numbers + [number] * (size > len(self._numbers) * self.block_bytes)


class ChecksumWriter:
    """Compute the checksums of a stream of bytes."""

    def __init__(self) -> None:
        self._ends = BlockEnds()
        self._value = 0
        self._size = 0

    def update(self, content: bytes) -> None:
        """Take the next bytes of the file, any number of them."""
        place = 0
        while (end := place + self._ends.next_end - self._size) <= len(content):
            self._take(content[place:end])
            self._ends.add(self._value)
            place = end
        self._take(content[place:])

    def close(self) -> Checksums:
        """Return the checksums, now that the file is complete."""
        values = self._ends.close(self._size, self._value)
        return Checksums(self._ends.block_bytes, values)

    def _take(self, piece: bytes) -> None:
        self._value = extend(self._value, piece)
        self._size += len(piece)


class RowCounter:
    """Count the rows of an input that end before each block's end."""

    def __init__(self) -> None:
        self._ends = BlockEnds()
        self._row_count = 0

    def add(self, row_ends: Sequence[int], offset: int) -> None:
        """Note the ends of the next rows, counted from byte `offset` of the file."""
        last = offset + row_ends[-1] if row_ends else 0
        while self._ends.next_end <= last:
            ended = bisect_right(row_ends, self._ends.next_end - offset)
            self._ends.add(self._row_count + ended)
        self._row_count += len(row_ends)

    def close(self, size: int) -> list[int]:
        """Return the number of rows at the end of each block of a file of `size` bytes."""
        return self._ends.close(size, self._row_count)


@dataclass(frozen=True, slots=True)
class Checksums:
    """A running CRC-32C of the whole file up to the end of each block."""

    block_bytes: int
    values: Sequence[int]

    def fit(self, content: bytes, start: int) -> bool:
        """Say whether `content` equals the stored blocks from byte `start`, a block's start."""
        first = start // self.block_bytes
        last = (start + len(content) - 1) // self.block_bytes
        if not content or last >= len(self.values):
            return False
        before = self.values[first - 1] if first else 0
        value: int = extend(before, content)
        return value == self.values[last]


def pack(numbers: Sequence[int], kind: str) -> bytes:
    """Return numbers as little-endian bytes; `kind` is "I" or "Q", as in `struct`."""
    return struct.pack(f"<{len(numbers)}{kind}", *numbers)


def unpack(packed: bytes, kind: str) -> tuple[int, ...]:
    """Return the numbers that `pack` was given."""
    return struct.unpack(f"<{len(packed) // struct.calcsize(kind)}{kind}", packed)


def rows_between(row_counts: Sequence[int], block_bytes: int, start: int, end: int) -> range:
    """Return the range of row numbers with bytes in the blocks from `start` up to `end`."""
    first, last = start // block_bytes, (end - 1) // block_bytes
    before = row_counts[first - 1] if first else 0
    return range(before + 1, min(row_counts[last] + 1, row_counts[-1]) + 1)
