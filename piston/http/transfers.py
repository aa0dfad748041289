"""Who may transfer? So many at one time per process, of them a share per client, none too slow.

A transfer is an upload or a download: while it lasts, a thread waits for its client. The server
puts a `Ticket` into each request's environment; another server, or none, sets no limit.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from django.http.response import HttpResponseBase

from piston.plurals import plural

TICKET = "piston.ticket"  # the key in WSGI's environment
SMALL_BYTES = 256 * 1024  # of an answer: it waits for its client in memory, no thread does


class NoPlace(OSError):
    """All places for transfers are taken; an OSError, as other ways to lose a client are.

    `is_own_fault` when it is this client who has too many of them.
    """

    def __init__(self, *, is_own_fault: bool) -> None:
        super().__init__("all places for transfers are taken")
        self.is_own_fault = is_own_fault


class TooSlow(TimeoutError):
    """The client let us wait for too long."""

    def __init__(self, bytes_per_second: int) -> None:
        unit = plural("byte", bytes_per_second)
        super().__init__(f"less than {bytes_per_second} {unit} a second came")


class ServerStopping(OSError):
    """The server is about to stop; whatever is open ends."""

    def __init__(self) -> None:
        super().__init__("the server is about to stop")


class Places:
    """The places of a process. Threads take them and give them back."""

    def __init__(self, count: int, *, per_client: int) -> None:
        self.count = count
        self.per_client = per_client
        self._taken: dict[str, int] = {}
        self._lock = Lock()

    @property
    def taken(self) -> int:
        """How many places are taken."""
        with self._lock:
            return sum(self._taken.values())

    def take(self, client: str) -> None:
        """Take a place for `client`, or raise NoPlace at once."""
        with self._lock:
            own = self._taken.get(client, 0)
            if own >= self.per_client:
                raise NoPlace(is_own_fault=True)
            if sum(self._taken.values()) >= self.count:
                raise NoPlace(is_own_fault=False)
            self._taken[client] = own + 1

    def give_back(self, client: str) -> None:
        """Give back a place that `client` took."""
        with self._lock:
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]


class Ticket:
    """What one request has to show for the time that a thread waits for its client.

    `client` is the address, until somebody knows better. `body_is_here` when nobody will have to
    wait for the body: it has arrived with the head, or there is none.
    """

    def __init__(self, places: Places, client: str, *, body_is_here: bool) -> None:
        self.client = client
        self.body_is_here = body_is_here
        self._places = places
        self._holder: str | None = None

    @property
    def is_held(self) -> bool:
        """Does this request have a place?"""
        return self._holder is not None

    def take(self) -> None:
        """Take a place, once for the whole request. Raises NoPlace."""
        if self._holder is None:
            self._places.take(self.client)
            self._holder = self.client

    def release(self) -> None:
        """Give the place back, if there is one."""
        if self._holder is not None:
            self._places.give_back(self._holder)
            self._holder = None


def name_client(environ: dict[str, Any], client: str) -> None:
    """Say who the client of this request is, so that its transfers count together."""
    if ticket := environ.get(TICKET):
        ticket.client = client


def take_place_for_body(environ: dict[str, Any]) -> None:
    """Take a place if a thread will have to wait for the body. Raises NoPlace."""
    ticket = environ.get(TICKET)
    if ticket is not None and not ticket.body_is_here:
        ticket.take()


def take_place_for_stream(environ: dict[str, Any], response: HttpResponseBase) -> None:
    """Take a place if a thread will have to wait until the answer is taken. Raises NoPlace."""
    ticket = environ.get(TICKET)
    if ticket is None or not response.streaming or environ["REQUEST_METHOD"] == "HEAD":
        return
    if int(response.headers.get("Content-Length", SMALL_BYTES + 1)) > SMALL_BYTES:
        ticket.take()


def take_place_for_work(environ: dict[str, Any]) -> None:
    """Take a place for a body that holds a thread for long even if it is here. Raises NoPlace."""
    ticket = environ.get(TICKET)
    if ticket is not None:
        ticket.body_is_here = False
        take_place_for_body(environ)


def check_server(environ: dict[str, Any]) -> None:
    """Raise ServerStopping when the server waits for this request no more."""
    if getattr(environ.get("gunicorn.socket"), "is_over", False):
        raise ServerStopping
