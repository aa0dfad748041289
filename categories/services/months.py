"""The two ends of a month, and the moments at which they are (UTC)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, NamedTuple

End = Literal["bom", "eom"]  # the beginning of the month, or its end


class MonthEnd(NamedTuple):
    """One end of a month."""

    year: int
    month: int
    end: End

    @property
    def moment(self) -> datetime:
        """The midnight at which the month begins or ends."""
        first = datetime(self.year, self.month, 1, tzinfo=UTC)
        return first if self.end == "bom" else beginning_of_next(first)

    def __str__(self) -> str:
        return f"{self.end} quantities of {self.year:04}-{self.month:02}"


def beginning_of_next(first: datetime) -> datetime:
    """Return the first day of the next month."""
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def list_ends(since: datetime, until: datetime) -> Iterator[MonthEnd]:
    """Yield the ends of months between two moments, the oldest first."""
    first = since.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while first <= until:
        for end in (
            MonthEnd(first.year, first.month, "bom"),
            MonthEnd(first.year, first.month, "eom"),
        ):
            if since <= end.moment <= until:
                yield end
        first = beginning_of_next(first)
