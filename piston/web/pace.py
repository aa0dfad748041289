"""Is a client fast enough? It may pause, but not for long, and not over and over."""

from __future__ import annotations

GRACE_SECONDS = 30.0  # that a client may let us wait beyond what its bytes have earned
TAKEN_SECONDS = 300.0  # that the bytes of an answer may earn: a steady reader's kernel takes many
# bytes at once, then none until the reader has made room: 90 s at 1.5 KB/s and usual buffers


class Pace:
    """A budget of waiting: waiting spends it, bytes earn it back at the slowest rate allowed.

    So a client that sends nothing for GRACE_SECONDS is too slow, and so is one that keeps below
    `bytes_per_second`; when we are the slow one, nothing is spent.
    """

    def __init__(self, bytes_per_second: int) -> None:
        self.bytes_per_second = bytes_per_second
        self.left_seconds = GRACE_SECONDS

    def earn(self, byte_count: int, *, most_seconds: float = GRACE_SECONDS) -> None:
        """Count bytes that came or were taken; what is left grows to `most_seconds` at most."""
        earned = self.left_seconds + byte_count / self.bytes_per_second
        self.left_seconds = max(self.left_seconds, min(most_seconds, earned))

    def spend(self, seconds: float) -> None:
        """Count time that was spent waiting."""
        self.left_seconds -= seconds

    @property
    def is_too_slow(self) -> bool:
        """Is the budget used up?"""
        return self.left_seconds <= 0
