"""Connections, the phase of each, and which one is closed when there is no room for another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import Enum
from typing import Any

from gunicorn.http.unreader import Unreader  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from piston.relied_on import SET_IN_INIT, rely_on
from piston.web.client_socket import ClientSocket
from piston.web.lingering import Linger


class Phase(Enum):
    """What a connection waits for in the loop, in the order in which connections may be closed."""

    LINGERING = "that the client has read its last answer"
    IDLE = "another request, perhaps"
    RECEIVING = "the rest of a request"
    SENDING = "that the client takes the rest of its answer"


rely_on(
    __name__,
    TConn,
    __init__="self, cfg, sock, client, server",
    init="self",
    close="self, graceful=False",
    sock=SET_IN_INIT,
    parser=SET_IN_INIT,
)
rely_on(__name__, Unreader, unread="self, data")


class Connection(TConn):  # type: ignore[misc]
    """gunicorn's connection, with the bytes that have arrived on it and its phase."""

    sock: ClientSocket

    def __init__(self, config: Any, client_socket: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(config, client_socket, client, server)
        self.received = bytearray()
        self.linger: Linger | None = None  # after the last answer
        self.keeps_alive = False
        self.phase: Phase | None = None  # None while it is queued for a thread, or has one
        self.deadline = 0.0  # of the phase; time.monotonic()
        self.head_deadline = 0.0  # of the request that is arriving

    def close(self, graceful: bool = False) -> None:
        """Close the connection, and release its slot for lingering."""
        if self.linger is not None:
            self.linger.slot_holder.release()
        super().close(graceful)

    def begin(self, *, body_is_here: bool) -> None:
        """Hand the received bytes to the parser."""
        self.init()
        self.sock.begin(body_is_here=body_is_here)
        self.parser.unreader.unread(bytes(self.received))
        self.received.clear()


class WaitingConnections:
    """The connections that wait in the loop, by phase, and oldest first in each."""

    def __init__(self) -> None:
        self._phases: dict[Phase, dict[Connection, None]] = {phase: {} for phase in Phase}

    def __iter__(self) -> Iterator[Connection]:
        """Yield all of them."""
        for members in self._phases.values():
            yield from list(members)

    def add(self, connection: Connection, phase: Phase, seconds: float) -> None:
        """Let a connection wait in a phase, for at most `seconds`."""
        connection.phase = phase
        connection.deadline = time.monotonic() + seconds
        self._phases[phase][connection] = None

    def remove(self, connection: Connection) -> None:
        """Take out a connection that waits no longer."""
        if connection.phase is not None:
            del self._phases[connection.phase][connection]
            connection.phase = None

    def overdue(self) -> list[Connection]:
        """Return the connections whose deadline has passed."""
        now = time.monotonic()
        return [connection for connection in self if connection.deadline <= now]

    def least_needed(self) -> Connection | None:
        """Return the connection to close in favour of a new one; None if none can be spared."""
        for phase in (Phase.LINGERING, Phase.IDLE, Phase.RECEIVING):
            if members := self._phases[phase]:
                return next(iter(members))
        return None

    def shorten_deadlines(self, seconds: float) -> None:
        """End all waits within `seconds`, except those of answers that are being sent."""
        latest = time.monotonic() + seconds
        for connection in self:
            if connection.phase is not Phase.SENDING:
                connection.deadline = min(connection.deadline, latest)
