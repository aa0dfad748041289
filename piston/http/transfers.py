"""Who may transfer? So many at one time per process, of them a share per client, none too slow.

A transfer is an upload or a download: while it lasts, a thread waits for its client. The server
puts a `SlotHolder` into each request's environment; another server, or none, sets no limit.

A client is an account. Its tree is its top-level account with everything below, so nobody gets
more by having many accounts. The last slots are kept for clients and trees that hold none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from threading import Lock
from typing import Any

from django.db import Error
from django.http.response import HttpResponseBase

from piston.plurals import plural

SLOT_HOLDER = "piston.slot_holder"  # the key in WSGI's environment
SMALL_BYTES = 256 * 1024  # of an answer: it waits for its client in memory, no thread does


class NoFreeSlot(OSError):
    """There is no slot for a transfer; an OSError, as other ways to lose a client are.

    `is_own_fault` when this client holds some itself: what is left is for others.
    """

    def __init__(self, *, is_own_fault: bool) -> None:
        super().__init__("there is no slot for a further transfer")
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


class ClientGone(Exception):
    """The client has closed its connection. No OSError: no storage is to blame."""

    def __init__(self) -> None:
        super().__init__("the client went away before it had its answer")


class TransferSlots:
    """The slots of a process. Threads take them and give them back.

    A client that holds some gets a further one only while more than a quarter is free. One that
    holds none, in a tree that holds some, needs more than an eighth to be free. The rest is for
    trees that hold none. Both are rounded up, so that there is such a rest of two slots as well.
    """

    def __init__(self, count: int, *, per_client: int) -> None:
        self.count = count
        self.per_client = per_client
        self._clients: Counter[str] = Counter()
        self._trees: Counter[str] = Counter()
        self._lock = Lock()

    @property
    def taken(self) -> int:
        """How many slots are taken."""
        with self._lock:
            return self._trees.total()

    def take(self, client: str, tree: str) -> None:
        """Take a slot for `client`, or raise NoFreeSlot at once."""
        with self._lock:
            free_count = self.count - self._trees.total()
            if free_count <= self._kept_from(client, tree):
                raise NoFreeSlot(is_own_fault=client in self._clients)
            self._clients[client] += 1
            self._trees[tree] += 1

    def give_back(self, client: str, tree: str) -> None:
        """Give back a slot that `client` took."""
        with self._lock:
            for counter, name in ((self._clients, client), (self._trees, tree)):
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]

    def _kept_from(self, client: str, tree: str) -> int:
        """Return how many of the free slots are not for this client."""
        if self._clients[client] >= self.per_client:
            return self.count
        if client in self._clients:
            return ceil(self.count / 4)
        return ceil(self.count / 8) if tree in self._trees else 0


class SlotHolder:
    """What one request has to show for the time that a thread waits for its client.

    `client` is the address, until somebody knows better; so is its tree. `body_is_here` when
    nobody will have to wait for the body: it has arrived with the head, or there is none.
    """

    def __init__(self, slots: TransferSlots, client: str, *, body_is_here: bool) -> None:
        self.client = client
        self.find_tree: Callable[[], str] | None = None
        self.tree = client
        self.is_known = False  # the client has shown a token that is good
        self.body_is_here = body_is_here
        self._slots = slots
        self._taken_for: tuple[str, str] | None = None

    @property
    def is_known_with_tree(self) -> bool:
        """Has the client shown a token that is good, and has its tree been looked up?"""
        return self.is_known and self.find_tree is None

    @property
    def has_slot(self) -> bool:
        """Does this request have a slot?"""
        return self._taken_for is not None

    def take(self) -> None:
        """Take a slot, once for the whole request. Raises NoFreeSlot."""
        if self._taken_for is None:
            self._slots.take(self.client, self.tree)
            self._taken_for = self.client, self.tree

    def release(self) -> None:
        """Give the slot back, if there is one."""
        if self._taken_for is not None:
            self._slots.give_back(*self._taken_for)
            self._taken_for = None


def name_client(
    environ: dict[str, Any], client: str, find_tree: Callable[[], str] | None = None
) -> None:
    """Say who the client of this request is, so that its transfers count together.

    `find_tree` when it is an account that has shown a good token.
    """
    if holder := environ.get(SLOT_HOLDER):
        holder.client = holder.tree = client
        holder.find_tree = find_tree
        holder.is_known = find_tree is not None


def look_up_tree(holder: SlotHolder) -> None:
    """Ask once to which tree the client belongs."""
    if holder.find_tree is not None:
        holder.tree, holder.find_tree = holder.find_tree(), None


def try_to_look_up_tree(holder: SlotHolder) -> None:
    """Do the same for an answer that is ready: it goes out even when the database is away."""
    with suppress(Error):
        look_up_tree(holder)


def take_slot(holder: SlotHolder) -> None:
    """Take a slot for a request of which it is known who sends it. Raises NoFreeSlot."""
    look_up_tree(holder)
    holder.take()


def take_slot_for_body(environ: dict[str, Any]) -> None:
    """Take a slot if a thread will have to wait for the body. Raises NoFreeSlot."""
    holder = environ.get(SLOT_HOLDER)
    if holder is not None and not holder.body_is_here:
        take_slot(holder)


def take_slot_for_stream(environ: dict[str, Any], response: HttpResponseBase) -> None:
    """Take a slot if a thread will have to wait until the answer is taken. Raises NoFreeSlot."""
    holder = environ.get(SLOT_HOLDER)
    if holder is None or not response.streaming or environ["REQUEST_METHOD"] == "HEAD":
        return
    if int(response.headers.get("Content-Length", SMALL_BYTES + 1)) > SMALL_BYTES:
        take_slot(holder)


def take_slot_for_work(environ: dict[str, Any]) -> None:
    """Take a slot for a body that takes a thread long to process. Raises NoFreeSlot."""
    holder = environ.get(SLOT_HOLDER)
    if holder is not None:
        holder.body_is_here = False
        take_slot_for_body(environ)


def check_connection(environ: dict[str, Any]) -> None:
    """Raise ServerStopping or ClientGone when nobody waits for this request any more."""
    wire = environ.get("gunicorn.socket")
    if getattr(wire, "is_over", False):
        raise ServerStopping
    if getattr(wire, "is_gone", False):
        raise ClientGone
