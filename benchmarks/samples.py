"""Which files are uploaded in benchmarks? A million rows of six columns, about 90 MB."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator

COLUMNS = ("id", "name", "email", "amount", "date", "note")
KINDS = {
    "plain": "no quotes",
    "mixed": "10 % of rows with a quoted cell: commas, quotes, line ends",
    "quoted": "every cell quoted",
    "stray": "a lone quote inside a cell of one row in a thousand",
}


def make_file(kind: str, row_count: int) -> bytes:
    """Return a header and rows of one kind."""
    return b"".join([",".join(COLUMNS).encode() + b"\n", make_rows(kind, row_count)])


def make_rows(kind: str, row_count: int) -> bytes:
    """Return rows of about 91 bytes, one in ten with a name that is not ASCII."""
    quoting = csv.QUOTE_ALL if kind == "quoted" else csv.QUOTE_MINIMAL
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator="\n").writerows(rows(kind, row_count))
    return text.getvalue().replace("''", '"').encode()


def rows(kind: str, row_count: int) -> Iterator[list[str]]:
    """Yield the cells of each row; '' stands for a quote that nothing encloses."""
    chance = random.Random(1)
    names = ["Anna", "Bob", "Chloé", "Dave", "Eve", "Frank", "Grace", "Heidi", "Ivan", "Judy"]
    for number in range(row_count):
        note = "" if chance.random() < 0.1 else f"some text here {number:08} of this row"
        if kind == "mixed" and number % 10 == 0:
            note = f'said "hello, {number}" to all' if number % 100 else f"two\nlines, {number}"
        if kind == "stray" and chance.random() < 0.001:
            note = f"a pipe of 5'' {number}"
        yield [
            str(100_000_000 + number),
            f"{chance.choice(names)} Example",
            f"user{number}@example.org",
            f"{chance.randrange(1_000_000) / 100:.2f}",
            f"2024-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
            note,
        ]
