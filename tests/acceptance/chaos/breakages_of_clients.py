"""Which safeguards towards clients can be taken out? Added to the other breakages."""

from __future__ import annotations

from tests.acceptance.chaos.breakages import BREAKAGES, Breakage, Change

TRANSFERS = "piston/http/transfers.py"

for breakage in (
    Breakage(
        "rights-not-confirmed",
        "a client's right to create a task is checked only at the beginning of its upload",
        (Change("tasks_app/creating.py", "    order.authorize_again()\n", ""),),
    ),
    Breakage(
        "places-for-whoever-comes",
        "no slot for a transfer is kept for clients that hold none",
        (
            Change(TRANSFERS, "return ceil(self.count / 4)\n", "return 0\n"),
            Change(TRANSFERS, "ceil(self.count / 8) if tree in self._trees else 0", "0"),
        ),
    ),
    Breakage(
        "lingering-by-bytes",
        "of a refused body, 8 MiB are read from a client with a good token, as from any other",
        (
            Change(
                "piston/web/lingering.py",
                "        if client.is_known_with_tree:\n",
                "        if False:\n",
            ),
        ),
    ),
    Breakage(
        "buffers-count-as-taken",
        "bytes in the kernel's buffer count as received by the client",
        (
            Change(
                "piston/web/client_socket.py",
                "        self.unacknowledged_bytes += sent\n",
                "        self.rate.earn(sent)\n",
            ),
        ),
    ),
):
    BREAKAGES[breakage.name] = breakage
