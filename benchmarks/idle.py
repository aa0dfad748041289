"""What does a category do that does nothing? It shows what everything around an action costs."""

from __future__ import annotations

import random
from collections.abc import Iterator

from categories.columns import TextColumn
from categories.contract import Category, Context, Row, RowAction

LINES = 10_000  # different ones; then they come again
LINES_AT_ONCE = 500
LINE_BYTES = 90
FIRST_ID = 100_000_000


class Nothing(RowAction):
    """Do nothing with a row."""

    id = TextColumn("Any text.", mandatory=True)
    name_ = TextColumn("Any text.", name="name", mandatory=True)
    email = TextColumn("Any text.")
    amount = TextColumn("Any text.")
    date = TextColumn("Any text.")
    note = TextColumn("Any text.")

    def process(self, row: Row, context: Context) -> None:
        """Let the row succeed."""


class Idle(Category):
    """Actions that measure what is around them."""

    name = "idle"
    version = "1"
    actions = (Nothing,)


class File:
    """A CSV for `Nothing` of any number of rows of 90 bytes, as something to read from."""

    def __init__(self, row_count: int) -> None:
        self._blocks = blocks(row_count)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return some of the next bytes; none only at the end."""
        if not self._rest:
            self._rest = next(self._blocks, b"")
        size = len(self._rest) if size < 0 else size
        block, self._rest = self._rest[:size], self._rest[size:]
        return block


def blocks(row_count: int) -> Iterator[bytes]:
    """Yield the header, then rows, in memory that does not grow with their number."""
    yield b"id,name,email,amount,date,note\n"
    lines = list(make_lines(min(row_count, LINES)))
    while row_count > 0:
        for start in range(0, min(row_count, LINES), LINES_AT_ONCE):
            yield b"".join(lines[start : min(start + LINES_AT_ONCE, row_count)])
        row_count -= LINES


def make_lines(count: int) -> Iterator[bytes]:
    """Yield lines of `LINE_BYTES`."""
    chance = random.Random(1)
    names = ["Anna", "Bob", "Chloé", "Dave", "Eve", "Frank", "Grace", "Heidi", "Ivan", "Judy"]
    for number in range(count):
        amount, day = chance.randrange(1_000_000) / 100, chance.randrange(1, 29)
        line = (
            f"{FIRST_ID + number},{chance.choice(names)} Example,user{number}@example.org,"
            f"{amount:.2f},2024-{number % 12 + 1:02}-{day:02},"
        )
        yield (
            line.encode()
            + b"some text of this row".ljust(LINE_BYTES - 1 - len(line.encode()), b".")
        ) + b"\n"
