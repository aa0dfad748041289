"""Limits the transfers of a process, and shares them out among clients.

A transfer is an upload or a download. While it lasts, a thread waits for its client. Our server
puts a `SlotHolder` into each request's environment. Without one, there is no limit.

A client is an account, or an address until the account is known. Its tree is its top-level account
with everything below it, so a tree gains nothing from having many accounts. The last slots are kept
for clients and trees that hold none.
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
SMALL_BYTES = 256 * 1024  # an answer up to this size waits in memory, and holds no thread


class NoFreeSlot(OSError):
    """No slot is free for a transfer; an OSError, like other ways to lose a client.

    `is_own_fault` is true if this client holds slots itself: those still free are for others.
    """

    def __init__(self, *, is_own_fault: bool) -> None:
        super().__init__("there is no slot for a further transfer")
        self.is_own_fault = is_own_fault


class TooSlow(TimeoutError):
    """The client made us wait for too long."""

    def __init__(self, bytes_per_second: int) -> None:
        unit = plural("byte", bytes_per_second)
        super().__init__(f"less than {bytes_per_second} {unit} a second came")


class ServerStopping(OSError):
    """The server is about to stop, so open transfers end."""

    def __init__(self) -> None:
        super().__init__("the server is about to stop")


class ClientGone(Exception):
    """The client has closed its connection. Not an OSError, which would mean a storage failed."""

    def __init__(self) -> None:
        super().__init__("the client went away before it had its answer")


class TransferSlots:
    """The slots of a process, which its threads take and give back.

    A client that holds some gets another only while more than a quarter is free. A client that
    holds none, in a tree that holds some, gets one while more than an eighth is free. The last
    eighth is for trees that hold none. Both limits are rounded up, so even one of two slots is
    kept.
    """

    def __init__(self, count: int, *, per_client: int) -> None:
        self.count = count
        self.per_client = per_client
        self._clients: Counter[str] = Counter()
        self._trees: Counter[str] = Counter()
        self._lock = Lock()

    @property
    def taken(self) -> int:
        """Return how many slots are taken."""
        with self._lock:
            return self._trees.total()

    def take(self, client: str, tree: str) -> None:
        """Take a slot for `client`, or raise NoFreeSlot without waiting."""
        with self._lock:
            free_count = self.count - self._trees.total()
            if free_count <= self._kept_from(client, tree):
                raise NoFreeSlot(is_own_fault=client in self._clients)
            self._clients[client] += 1
            self._trees[tree] += 1

    def give_back(self, client: str, tree: str) -> None:
        """Return a slot that `client` took."""
        with self._lock:
            for counter, name in ((self._clients, client), (self._trees, tree)):
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]

    def _kept_from(self, client: str, tree: str) -> int:
        """Return how many free slots are kept for others than this client."""
        if self._clients[client] >= self.per_client:
            return self.count
        if client in self._clients:
            return ceil(self.count / 4)
        return ceil(self.count / 8) if tree in self._trees else 0


class SlotHolder:
    """One request's right to a slot, for the time that a thread waits for its client.

    `client` and `tree` are the address until the account is known. `body_is_here` is true if
    the body arrived with the headers or there is none, so that no thread will wait for it.
    """

    def __init__(self, slots: TransferSlots, client: str, *, body_is_here: bool) -> None:
        self.client = client
        self.find_tree: Callable[[], str] | None = None
        self.tree = client
        self.is_known = False  # the client has sent a valid token
        self.body_is_here = body_is_here
        self._slots = slots
        self._taken_for: tuple[str, str] | None = None

    @property
    def is_known_with_tree(self) -> bool:
        """Has the client sent a valid token, and has its tree been looked up?"""
        return self.is_known and self.find_tree is None

    @property
    def has_slot(self) -> bool:
        """Does this request have a slot?"""
        return self._taken_for is not None

    def take(self) -> None:
        """Take a slot for the whole request, unless it has one. Raises NoFreeSlot."""
        if self._taken_for is None:
            self._slots.take(self.client, self.tree)
            self._taken_for = self.client, self.tree

    def release(self) -> None:
        """Give the slot back, if the request has one."""
        if self._taken_for is not None:
            self._slots.give_back(*self._taken_for)
            self._taken_for = None


def name_client(
    environ: dict[str, Any], client: str, find_tree: Callable[[], str] | None = None
) -> None:
    """Name the client of this request, so that its transfers are counted together.

    `find_tree` is given for an account that has sent a valid token.
    """
    if holder := environ.get(SLOT_HOLDER):
        holder.client = holder.tree = client
        holder.find_tree = find_tree
        holder.is_known = find_tree is not None


def look_up_tree(holder: SlotHolder) -> None:
    """Look up the client's tree, once."""
    if holder.find_tree is not None:
        holder.tree, holder.find_tree = holder.find_tree(), None


def try_to_look_up_tree(holder: SlotHolder) -> None:
    """Look up the tree, ignoring database errors: the answer is ready and can go out without it."""
    with suppress(Error):
        look_up_tree(holder)


def take_slot(holder: SlotHolder) -> None:
    """Take a slot for a request whose client is known. Raises NoFreeSlot."""
    look_up_tree(holder)
    holder.take()


def take_slot_for_body(environ: dict[str, Any]) -> None:
    """Take a slot if a thread will wait for the body. Raises NoFreeSlot."""
    holder = environ.get(SLOT_HOLDER)
    if holder is not None and not holder.body_is_here:
        take_slot(holder)


def take_slot_for_stream(environ: dict[str, Any], response: HttpResponseBase) -> None:
    """Take a slot if a thread will wait while the client receives. Raises NoFreeSlot."""
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
    """Raise ServerStopping or ClientGone if the answer to this request cannot be delivered."""
    client_socket = environ.get("gunicorn.socket")
    if getattr(client_socket, "is_over", False):
        raise ServerStopping
    if getattr(client_socket, "is_gone", False):
        raise ClientGone
