"""Which safeguards towards clients can be taken out? Added to the other breakages."""

from __future__ import annotations

from tests.acceptance.chaos.breakages import BREAKAGES, Breakage, Change

TRANSFERS = "piston/http/transfers.py"

for breakage in (
    Breakage(
        "rights-not-confirmed",
        "whether a client may create a task is asked at the beginning of its upload only",
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
        "a client with a good token is heard out for 8 MiB, like anybody",
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
        "what has gone into the kernel's buffer counts as taken by the client",
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
