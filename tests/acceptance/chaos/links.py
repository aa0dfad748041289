"""What can happen to a connection? A relay that cuts, swallows, slows and loses replies."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Self
from urllib.parse import urlsplit, urlunsplit

BLOCK_BYTES = 64 * 1024
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset
TICK_SECONDS = 0.2
COMMIT = b"COMMIT\x00"  # as it stands in PostgreSQL's protocol

Listen = Callable[[], socket.socket]


def listen_on_loopback() -> socket.socket:
    """Return a socket that listens at a free port of loopback."""
    return socket.create_server(("127.0.0.1", 0))


class Link:
    """A relay in front of a server; `url` is the server's with the relay's address."""

    def __init__(self, target: str, *, listen: Listen = listen_on_loopback) -> None:
        parts = urlsplit(target)
        assert parts.hostname
        assert parts.port
        self.target = (parts.hostname, parts.port)
        self.listener = listen()
        host, port = self.listener.getsockname()[:2]
        self.address: str = host
        user, at, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{user}{at}{host}:{port}"))
        self.is_refusing = False
        self.is_silent = False  # connections stay open, bytes go nowhere
        self.silenced = 0  # connections that fell silent in mid-sentence
        self.block_seconds = 0.0  # that each block of bytes is on its way
        self.bytes_per_second = 0.0  # each way and connection; 0 for as fast as it goes
        self.lost_commits = 0
        self.lost_replies = 0
        self._lose_commit: Callable[[], bool] = lambda: False
        self._lose_reply: Callable[[], bool] = lambda: False
        self._delay: Callable[[], float] = lambda: 0.0
        self.late_transactions = 0
        self._pairs: set[Pair] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        self.listener.settimeout(TICK_SECONDS)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closed = True
        self.cut()
        self.listener.close()

    def cut(self) -> None:
        """Reset every connection; new ones are welcome."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.reset()

    def refuse(self) -> None:
        """Reset every connection, old and new, until `heal()`."""
        self.is_refusing = True
        self.cut()

    def silence(self) -> None:
        """Swallow what both sides send, like a cable that was pulled, until `heal()`.

        Whoever spoke meanwhile is never answered, not even after `is_silent` is False again.
        """
        self.is_silent = True

    def heal(self) -> None:
        """Be a good cable again; what was silenced in mid-sentence is reset."""
        was_silent, self.is_silent, self.is_refusing = self.is_silent, False, False
        self.bytes_per_second = self.block_seconds = 0.0
        self._lose_commit = self._lose_reply = lambda: False
        self._delay = lambda: 0.0
        if was_silent:
            self.cut()

    def lose_replies_to_commits(self, random: Random, share: float) -> None:
        """Let COMMITs through, but reset the connection instead of passing on their reply."""
        self._lose_reply = lambda: random.random() < share

    def lose_commits(self, random: Random, share: float) -> None:
        """Reset the connection instead of letting COMMITs through."""
        self._lose_commit = lambda: random.random() < share

    def delay_transactions(self, random: Random, share: float, seconds: float) -> None:
        """Hold back a BEGIN, and what comes after it, now and then for so long."""
        self._delay = lambda: seconds if random.random() < share else 0.0

    def _accept(self) -> None:
        while not self._closed:
            with contextlib.suppress(OSError):
                near, _ = self.listener.accept()
                near.settimeout(None)
                threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        if self.is_refusing:
            reset(near)
            return
        try:
            far = socket.create_connection(self.target, 5)
        except OSError:
            reset(near)
            return
        far.settimeout(None)
        pair = Pair(self, near, far)
        with self._lock:
            self._pairs.add(pair)
        pair.relay()
        with self._lock:
            self._pairs.discard(pair)

    def hold_back(self, block: bytes) -> None:
        """Wait, if what a client has just sent is to arrive late."""
        if b"BEGIN" in block and (seconds := self._delay()):
            self.late_transactions += 1
            time.sleep(seconds)

    def loses(self, block: bytes) -> bool:
        """Decide whether what a client has just sent gets lost."""
        is_lost = COMMIT in block and self._lose_commit()
        self.lost_commits += is_lost
        return is_lost

    def loses_reply_to(self, block: bytes) -> bool:
        """Decide whether the reply to what a client has just sent gets lost."""
        is_lost = COMMIT in block and self._lose_reply()
        self.lost_replies += is_lost
        return is_lost


class Pair:
    """A client's connection and the one to the server behind it."""

    def __init__(self, link: Link, near: socket.socket, far: socket.socket) -> None:
        self.link = link
        self.near = near
        self.far = far
        self.is_silenced = False

    def relay(self) -> None:
        """Pass on what comes, until either side is done."""
        loses_reply = False
        with contextlib.suppress(OSError, ValueError):
            while True:
                ready, _, _ = select.select([self.near, self.far], [], [], TICK_SECONDS)
                for source in ready:
                    block = source.recv(BLOCK_BYTES)
                    if not block:
                        return self.close()
                    if self.swallows():
                        continue
                    if self.link.block_seconds:
                        time.sleep(self.link.block_seconds)
                    if source is self.far and loses_reply:
                        return self.reset()
                    if source is self.near:
                        self.link.hold_back(block)
                        if self.link.loses(block):
                            return self.reset()
                        loses_reply = self.link.loses_reply_to(block)
                    (self.far if source is self.near else self.near).sendall(block)
                    if self.link.bytes_per_second:
                        time.sleep(len(block) / self.link.bytes_per_second)
        return self.reset()

    def swallows(self) -> bool:
        """Decide whether bytes go nowhere; where some were lost, the rest makes no sense."""
        if self.link.is_silent and not self.is_silenced:
            self.is_silenced = True
            self.link.silenced += 1
        return self.is_silenced

    def close(self) -> None:
        """End both connections in order."""
        self.near.close()
        self.far.close()

    def reset(self) -> None:
        """End both connections as a fault would."""
        reset(self.near)
        reset(self.far)


def reset(connection: socket.socket) -> None:
    """Close a connection with a reset, even while another thread waits for it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        # shutdown wakes the thread that waits; close alone would not
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
