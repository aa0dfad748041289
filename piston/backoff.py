"""How long does a process wait until it tries again? Longer each time, up to a bound."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_SECONDS = 1.0
MAX_SECONDS = 10.0


def backoff_seconds() -> Iterator[float]:
    """Yield the seconds of one pause after the other."""
    seconds = FIRST_SECONDS
    while True:
        yield seconds
        seconds = min(2 * seconds, MAX_SECONDS)
