"""This machine's name, as clients see it."""

from __future__ import annotations

import socket


def node_name() -> str:
    """Return `piston@` and the host's name."""
    return f"piston@{socket.gethostname()}"
