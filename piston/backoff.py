"""The pauses of a process between retries: each one longer, up to a maximum."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_SECONDS = 1.0
MAX_SECONDS = 10.0


def backoff_seconds() -> Iterator[float]:
    """Yield the seconds of each pause in turn."""
    seconds = FIRST_SECONDS
    while True:
        yield seconds
        seconds = min(2 * seconds, MAX_SECONDS)
