"""Is a client fast enough? It may pause, but not for long, and not over and over."""

from __future__ import annotations

GRACE_SECONDS = 30.0  # that a client may let us wait beyond what its bytes have earned


class Pace:
    """A budget of waiting: waiting spends it, bytes earn it back at the slowest rate allowed.

    So a client that is silent for GRACE_SECONDS is too slow, and so is one that keeps below
    `bytes_per_second`; when we are the slow one, nothing is spent.
    """

    def __init__(self, bytes_per_second: int) -> None:
        self.bytes_per_second = bytes_per_second
        self.left_seconds = GRACE_SECONDS

    def earn(self, byte_count: int) -> None:
        """Count bytes that came or went."""
        earned = byte_count / self.bytes_per_second
        self.left_seconds = min(GRACE_SECONDS, self.left_seconds + earned)

    def spend(self, seconds: float) -> None:
        """Count time that was spent waiting."""
        self.left_seconds -= seconds

    @property
    def is_too_slow(self) -> bool:
        """Is the budget used up?"""
        return self.left_seconds <= 0
