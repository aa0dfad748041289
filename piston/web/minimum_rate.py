"""Tells when a client is too slow: it may pause, but not for long and not repeatedly."""

from __future__ import annotations

GRACE_SECONDS = 30.0  # how long we wait for a client beyond the time that its bytes have earned
# The bytes of an answer may earn more. The kernel of a steady reader takes many bytes at once,
# then none until the reader has made room: 90 s at 1.5 KB/s with usual buffers.
MAX_SEND_GRACE_SECONDS = 300.0


class MinimumRate:
    """A budget of waiting time: waiting spends it, and bytes earn it at the minimum rate.

    A client is too slow if it sends nothing for GRACE_SECONDS, or stays below `bytes_per_second`.
    While we are the slow side, nothing is spent.
    """

    def __init__(self, bytes_per_second: int) -> None:
        self.bytes_per_second = bytes_per_second
        self.left_seconds = GRACE_SECONDS

    def earn(self, byte_count: int, *, most_seconds: float = GRACE_SECONDS) -> None:
        """Count bytes that were received or sent; the budget grows to at most `most_seconds`."""
        earned = self.left_seconds + byte_count / self.bytes_per_second
        self.left_seconds = max(self.left_seconds, min(most_seconds, earned))

    def spend(self, seconds: float) -> None:
        """Count time that was spent waiting."""
        self.left_seconds -= seconds

    @property
    def is_too_slow(self) -> bool:
        """Is the budget used up?"""
        return self.left_seconds <= 0
