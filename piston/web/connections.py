"""In which phase is each connection, and which of them goes when there is no room for another?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import Enum
from typing import Any

from gunicorn.http.unreader import Unreader  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from piston.relied_on import SET_IN_INIT, rely_on
from piston.web.lingering import Linger
from piston.web.wire import Wire


class Phase(Enum):
    """What a connection waits for in the worker's loop. In the order in which they may be cut."""

    LINGERING = "that the client has read its last answer"
    IDLE = "another request, perhaps"
    ARRIVING = "the rest of a request"
    LEAVING = "that the client takes the rest of its answer"


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
    """A connection of gunicorn's, with what has arrived on it and what it waits for."""

    sock: Wire

    def __init__(self, config: Any, wire: Wire, client: Any, server: Any) -> None:
        super().__init__(config, wire, client, server)
        self.received = bytearray()
        self.linger: Linger | None = None  # after the last answer
        self.keeps_alive = False
        self.phase: Phase | None = None  # None while a thread has it, or it waits for one
        self.deadline = 0.0  # of the phase; time.monotonic()
        self.head_deadline = 0.0  # of the request that is arriving

    def close(self, graceful: bool = False) -> None:
        """Close the connection, and give back a slot for lingering."""
        if self.linger is not None:
            self.linger.slot_holder.release()
        super().close(graceful)

    def begin(self, *, body_is_here: bool) -> None:
        """Hand what has arrived to the parser."""
        self.init()
        self.sock.begin(body_is_here=body_is_here)
        self.parser.unreader.unread(bytes(self.received))
        self.received.clear()


class Waiting:
    """The connections that wait in the loop, those of each phase oldest first."""

    def __init__(self) -> None:
        self._phases: dict[Phase, dict[Connection, None]] = {phase: {} for phase in Phase}

    def __iter__(self) -> Iterator[Connection]:
        """Yield all of them."""
        for members in self._phases.values():
            yield from list(members)

    def add(self, connection: Connection, phase: Phase, seconds: float) -> None:
        """Let a connection wait in a phase, for so long at most."""
        connection.phase = phase
        connection.deadline = time.monotonic() + seconds
        self._phases[phase][connection] = None

    def remove(self, connection: Connection) -> None:
        """Let a connection wait no more."""
        if connection.phase is not None:
            del self._phases[connection.phase][connection]
            connection.phase = None

    def overdue(self) -> list[Connection]:
        """Return those whose time is up."""
        now = time.monotonic()
        return [connection for connection in self if connection.deadline <= now]

    def least_needed(self) -> Connection | None:
        """Return the one to be cut for the sake of a new one; None if none can be spared."""
        for phase in (Phase.LINGERING, Phase.IDLE, Phase.ARRIVING):
            if members := self._phases[phase]:
                return next(iter(members))
        return None

    def hurry(self, seconds: float) -> None:
        """Let nothing but answers that are on their way wait for longer than this."""
        latest = time.monotonic() + seconds
        for connection in self:
            if connection.phase is not Phase.LEAVING:
                connection.deadline = min(connection.deadline, latest)
