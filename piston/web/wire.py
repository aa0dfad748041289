"""How does a thread talk to a client? By a socket that waits with a slot only, not for ever."""

from __future__ import annotations

import errno
import fcntl
import select
import socket
import struct
import termios
import time
from threading import Lock

from piston.http.transfers import NoFreeSlot, ServerStopping, SlotHolder, TooSlow, TransferSlots
from piston.web.pace import TAKEN_SECONDS, Pace

MAX_OUTBOX_BYTES = 4 * 2**20  # of an answer that waits in memory for its client
LOOK_SECONDS = 1.0  # between two looks whether the server is about to stop
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Memory:
    """How much may wait in memory for all clients together."""

    def __init__(self, limit_bytes: int) -> None:
        self._left_bytes = limit_bytes
        self._lock = Lock()

    def take(self, size: int) -> bool:
        """Take `size` bytes; False if there is not so much left."""
        with self._lock:
            if size > self._left_bytes:
                return False
            self._left_bytes -= size
            return True

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._left_bytes += size


class Wire:
    """A client's socket, as gunicorn sees it. Never blocks in the kernel.

    Reading waits, within the pace, for what is not there yet. Writing puts what the client does
    not take at once into the outbox, which the worker's loop empties; a transfer waits instead.
    """

    def __init__(
        self,
        connection: socket.socket,
        client: str,
        slots: TransferSlots,
        memory: Memory,
        pace: int,
    ) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.client = client
        self.slots = slots
        self.memory = memory
        self.bytes_per_second = pace
        self.outbox = bytearray()
        self.untaken_bytes = 0  # of what was sent: the kernel has no receipt from the client yet
        self.owes_continue = False  # the client waits for `100 Continue` before it sends its body
        self.is_over = False  # the server is about to stop, or the answer is complete
        self.slot_holder = SlotHolder(slots, client, body_is_here=True)
        self.pace = Pace(pace)

    def begin(self, *, body_is_here: bool) -> None:
        """Begin a request: nothing is held against it."""
        self.slot_holder.release()
        self.slot_holder = SlotHolder(self.slots, self.client, body_is_here=body_is_here)
        self.pace = Pace(self.bytes_per_second)

    # ---- what a thread does

    @property
    def is_gone(self) -> bool:
        """Has the client hung up? One that only says it sends no more is taken for gone, too."""
        poll = select.poll()
        # POLLHUP and POLLERR come unasked; only Linux tells of who just sends no more
        poll.register(self.socket, getattr(select, "POLLRDHUP", 0))
        return bool(poll.poll(0))

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes, b"" at the end; let a client that waits for leave begin.

        Raises NoFreeSlot, TooSlow, ServerStopping.
        """
        if self.owes_continue:
            self.owes_continue = False
            self.sendall(CONTINUE)
        while True:
            try:
                block = self.socket.recv(size)
            except BlockingIOError:
                self._wait(select.POLLIN)
            else:
                self.pace.earn(len(block))
                return block

    def sendall(self, content: bytes) -> None:
        """Send everything, or leave it in the outbox. Raises ConnectionError for a slow client."""
        rest = memoryview(content)
        while rest:
            if not self.outbox:
                rest = rest[self._send_some(rest) :]
            if rest and not self.slot_holder.has_slot and self._keep(rest):
                return
            if rest:
                self._wait_to_send()

    def _wait_to_send(self) -> None:
        try:
            self._wait(select.POLLOUT)
        except (NoFreeSlot, TooSlow, ServerStopping) as error:
            self._forget_outbox()
            # gunicorn takes this for a client that went away, which is what it comes to
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from error
        while self.outbox and self.send_outbox():
            pass

    def _forget_outbox(self) -> None:
        self.memory.give_back(len(self.outbox))
        self.outbox.clear()

    def _send_some(self, content: memoryview) -> int:
        try:
            sent = self.socket.send(content)
        except BlockingIOError:
            return 0
        self.untaken_bytes += sent
        return sent

    def _keep(self, content: memoryview) -> bool:
        """Put this into the outbox; False if it would be too much."""
        fits = len(self.outbox) + len(content) <= MAX_OUTBOX_BYTES
        if not fits or not self.memory.take(len(content)):
            return False
        self.outbox += content
        return True

    def _wait(self, event: int) -> None:
        """Wait for the client; a thread that waits needs a slot."""
        self.slot_holder.take()
        poll = select.poll()
        poll.register(self.socket, event)
        while not self.is_over and not self.pace.is_too_slow:
            began = time.monotonic()
            ready = poll.poll(1000 * min(LOOK_SECONDS, self.pace.left_seconds))
            self.pace.spend(time.monotonic() - began)
            self.count_taken()
            if ready:
                return
        raise ServerStopping if self.is_over else TooSlow(self.bytes_per_second)

    def count_taken(self) -> None:
        """Count what the client has taken: what left the kernel's buffer, not what went into it."""
        if self.untaken_bytes:
            untaken_bytes = count_unsent(self.socket)
            taken_bytes = max(0, self.untaken_bytes - untaken_bytes)
            self.pace.earn(taken_bytes, most_seconds=TAKEN_SECONDS)
            self.untaken_bytes = untaken_bytes

    # ---- what the worker's loop does

    def send_outbox(self) -> int:
        """Send what the client takes now; return how many bytes that was. Raises OSError."""
        with memoryview(self.outbox) as content:
            sent = self._send_some(content)
        del self.outbox[:sent]
        self.memory.give_back(sent)
        return sent

    def send_at_once(self, content: bytes) -> None:
        """Send what the client takes now and drop the rest: the loop waits for nobody."""
        self._send_some(memoryview(content))

    def finish(self) -> None:
        """Tell the client that nothing more will come."""
        self.is_over = True
        self.socket.shutdown(socket.SHUT_WR)

    # ---- what gunicorn asks of a socket

    def fileno(self) -> int:
        """Return the file descriptor, -1 when closed."""
        return self.socket.fileno()

    def shutdown(self, how: int) -> None:
        """Shut the connection down; nobody waits for it any more."""
        self.is_over = True
        self.socket.shutdown(how)

    def close(self) -> None:
        """Close the connection, forget what was not sent, and give a slot back."""
        self._forget_outbox()
        self.slot_holder.release()
        self.socket.close()

    def gettimeout(self) -> None:
        """Return None: time-outs are the pace's business."""

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: time-outs are the pace's business."""

    def setblocking(self, flag: bool) -> None:
        """Do nothing: this never blocks in the kernel."""


def count_unsent(connection: socket.socket) -> int:
    """Return how many bytes the kernel keeps until the other side has them (tcp(7), SIOCOUTQ)."""
    answer = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])
