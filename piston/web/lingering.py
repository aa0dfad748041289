"""Decides how long a client may go on sending after its request was refused.

The kernel resets a connection that is closed with unread bytes. A client that writes everything
before it reads anything would then never see its answer. So after the last answer we read on and
discard. A client with a valid token may send as long as it keeps the minimum rate. Any other
client gets a few seconds, since a flood of refused bodies costs time.

The slots for clients with a token are shared out like those for transfers, by account and by
tree. So one tree cannot hold them all. A client whose tree could not be looked up gets none.
"""

from __future__ import annotations

import time
from contextlib import suppress

from piston.http.transfers import NoFreeSlot, SlotHolder, TransferSlots
from piston.web.minimum_rate import MinimumRate

LINGER_SECONDS = 5.0  # for any client to read the last answer, and to end what it still sends
LINGER_BYTES = 8 * 2**20  # of a refused body; a client that sends more is cut off
MAX_LINGER_SECONDS = 600.0  # for a client with a valid token
MAX_LINGER_COUNT = 64  # such clients at one time; further ones are treated like any other


class Linger:
    """How much a client may still send after its last answer, and until when."""

    def __init__(self, slots: TransferSlots, client: SlotHolder, bytes_per_second: int) -> None:
        now = time.monotonic()
        self.slot_holder = SlotHolder(slots, client.client, body_is_here=False)
        self.slot_holder.tree = client.tree
        if client.is_known_with_tree:
            with suppress(NoFreeSlot):
                self.slot_holder.take()
        self._rate = MinimumRate(bytes_per_second)
        self._left_bytes = LINGER_BYTES
        self._end = now + (MAX_LINGER_SECONDS if self.slot_holder.has_slot else LINGER_SECONDS)
        self.deadline = min(self._end, now + self._rate.left_seconds)

    def accepts(self, byte_count: int) -> bool:
        """Count received bytes; return False if they are too many.

        The bytes of a client with a slot earn it time instead.
        """
        if not self.slot_holder.has_slot:
            self._left_bytes -= byte_count
            return self._left_bytes >= 0
        now = time.monotonic()
        self._rate.left_seconds = self.deadline - now
        self._rate.earn(byte_count)
        self.deadline = min(self._end, now + self._rate.left_seconds)
        return True
