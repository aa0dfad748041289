"""How long is a client heard out that still sends what nobody wants?

A connection that is closed on unread bytes is reset, and a client that writes everything before it
reads anything would never see its answer. One that has shown a good token is heard out as long as
it keeps the pace; anybody else for a moment, since a flood of refused bodies costs time.

The slots for the former are shared out like those for transfers, by account and by tree, so one
tree cannot hold them all. A client whose tree nobody could look up is treated as anybody.
"""

from __future__ import annotations

import time
from contextlib import suppress

from piston.http.transfers import NoFreeSlot, SlotHolder, TransferSlots
from piston.web.pace import Pace

LINGER_SECONDS = 5.0  # for anybody to read the last answer, and to end what is still being sent
LINGER_BYTES = 8 * 2**20  # of a body that nobody wanted; who sends more is cut off
MAX_LINGER_SECONDS = 600.0  # for a client with a good token
MAX_LINGER_COUNT = 64  # of such clients at one time; further ones are treated as anybody


class Linger:
    """What a client may still send after its last answer, and until when."""

    def __init__(self, slots: TransferSlots, client: SlotHolder, bytes_per_second: int) -> None:
        now = time.monotonic()
        self.slot_holder = SlotHolder(slots, client.client, body_is_here=False)
        self.slot_holder.tree = client.tree
        if client.is_known_with_tree:
            with suppress(NoFreeSlot):
                self.slot_holder.take()
        self._pace = Pace(bytes_per_second)
        self._left_bytes = LINGER_BYTES
        self._end = now + (MAX_LINGER_SECONDS if self.slot_holder.has_slot else LINGER_SECONDS)
        self.deadline = min(self._end, now + self._pace.left_seconds)

    def accepts(self, byte_count: int) -> bool:
        """Count bytes that came; False if they were too many. Those of a known client earn time."""
        if not self.slot_holder.has_slot:
            self._left_bytes -= byte_count
            return self._left_bytes >= 0
        now = time.monotonic()
        self._pace.left_seconds = self.deadline - now
        self._pace.earn(byte_count)
        self.deadline = min(self._end, now + self._pace.left_seconds)
        return True
