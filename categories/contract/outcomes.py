"""The outcomes of rows: succeeded and failed, and the two ways for an action to end its task."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

JSON: TypeAlias = Any
# the cells of one output row: by column name, or all of them in the order of `output`
Cells: TypeAlias = Mapping[str, Any] | Sequence[Any]


class Succeeded:
    """The row succeeded, with no output row, one, or several (`Succeeded.many`)."""

    __slots__ = ("rows",)

    def __init__(self, cells: Cells | None = None, /, **by_name: Any) -> None:
        self.rows: Sequence[Cells]
        if cells is None:
            self.rows = (by_name,) if by_name else ()
        else:
            self.rows = (cells,)

    @classmethod
    def many(cls, rows: Iterable[Cells]) -> Succeeded:
        """Return a success with any number of output rows."""
        outcome = cls()
        outcome.rows = tuple(rows)
        return outcome

    def __repr__(self) -> str:
        return f"Succeeded({', '.join(map(repr, self.rows))})"


class RowFailed(Exception):
    """The row failed; the message goes into its line of the output."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class StopTask(Exception):
    """The task must end now; the remaining rows stay unprocessed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RetryLater(Exception):
    """The service cannot take the row now, and nothing happened; the row is sent again later.

    For external effects only. `seconds` is the shortest pause: a number, or the text of HTTP's
    `Retry-After`.
    """

    def __init__(self, seconds: float | str) -> None:
        super().__init__(f"asked to send it again after {seconds} s")
        self.seconds = seconds


class Refused(Exception):
    """The task may not run at all; raised by `permitted`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Outcome: TypeAlias = Succeeded | RowFailed


class Texts(tuple[str, ...]):
    """The cells of an output row, in the order of `output`, as they will stand in the file."""

    __slots__ = ()


class WrittenRows:
    """Output rows of an action without input that are already lines of CSV.

    Iteration yields their cells as Texts.
    """

    def __init__(self, content: bytes, count: int, seconds: float) -> None:
        self.content = content  # with a line end after each row
        self.count = count
        self.seconds = seconds  # the time to write them

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Texts]:
        return read_rows(self.content)

    @property
    def last(self) -> Texts:
        """The last row, found from the end."""
        start = len(self.content)
        while True:
            start = self.content.rfind(b"\n", 0, start - 1) + 1
            if self.content.count(b'"', start) % 2 == 0:  # else the line end is inside a cell
                return next(read_rows(self.content[start:]))


def read_rows(content: bytes) -> Iterator[Texts]:
    """Yield the rows of lines of CSV."""
    lines = map(bytes.decode, content.splitlines(keepends=True))
    return map(Texts, csv.reader(lines))


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an action without input, and the next page's cursor; None after the last page."""

    rows: Sequence[Cells] | WrittenRows
    cursor: JSON | None = None
