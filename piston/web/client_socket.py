"""A client's socket, on which a thread waits only with a slot, and never without a limit."""

from __future__ import annotations

import errno
import fcntl
import select
import socket
import struct
import termios
import time
from threading import Lock

from piston.http.transfers import (
    NoFreeSlot,
    ServerStopping,
    SlotHolder,
    TooSlow,
    TransferSlots,
)
from piston.web.minimum_rate import MAX_SEND_GRACE_SECONDS, MinimumRate

MAX_SEND_BUFFER_BYTES = 4 * 2**20  # of one answer, in our memory
CHECK_SECONDS = 1.0  # between two checks whether the server is about to stop
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BufferQuota:
    """How much memory the send buffers of all clients may use together."""

    def __init__(self, limit_bytes: int) -> None:
        self._left_bytes = limit_bytes
        self._lock = Lock()

    def reserve(self, size: int) -> bool:
        """Reserve `size` bytes; return False if fewer are left."""
        with self._lock:
            if size > self._left_bytes:
                return False
            self._left_bytes -= size
            return True

    def release(self, size: int) -> None:
        """Release `size` bytes that were reserved."""
        with self._lock:
            self._left_bytes += size


class ClientSocket:
    """The socket as gunicorn sees it. It never blocks in the kernel.

    A read waits, at the minimum rate, for bytes that have not arrived. A write puts what the
    client does not take at once into the send buffer, which the worker's loop empties. A request
    that holds a slot waits instead.
    """

    def __init__(
        self,
        connection: socket.socket,
        client: str,
        slots: TransferSlots,
        buffer_quota: BufferQuota,
        min_bytes_per_second: int,
    ) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.client = client
        self.slots = slots
        self.buffer_quota = buffer_quota
        self.bytes_per_second = min_bytes_per_second
        self.send_buffer = bytearray()
        self.unacknowledged_bytes = 0  # sent, but not yet acknowledged by the client's kernel
        self.owes_continue = False  # the client waits for `100 Continue` before it sends its body
        self.is_over = False  # the server is about to stop, or the answer is complete
        self.slot_holder = SlotHolder(slots, client, body_is_here=True)
        self.rate = MinimumRate(min_bytes_per_second)

    def begin(self, *, body_is_here: bool) -> None:
        """Begin a request, with a fresh budget of waiting time and without a slot."""
        self.slot_holder.release()
        self.slot_holder = SlotHolder(self.slots, self.client, body_is_here=body_is_here)
        self.rate = MinimumRate(self.bytes_per_second)

    # ---- what a thread does

    @property
    def is_gone(self) -> bool:
        """Has the client disconnected? One that only ends its own sending counts as gone, too."""
        poll = select.poll()
        # POLLHUP and POLLERR need no request; only Linux reports a client that ended its sending
        poll.register(self.socket, getattr(select, "POLLRDHUP", 0))
        return bool(poll.poll(0))

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes, b"" at the end; send an owed `100 Continue` first.

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
                self.rate.earn(len(block))
                return block

    def sendall(self, content: bytes) -> None:
        """Send everything, or put it into the send buffer.

        Raises ConnectionError for a client that is too slow.
        """
        rest = memoryview(content)
        while rest:
            if not self.send_buffer:
                rest = rest[self._send_some(rest) :]
            if rest and not self.slot_holder.has_slot and self._keep(rest):
                return
            if rest:
                self._wait_to_send()

    def _wait_to_send(self) -> None:
        try:
            self._wait(select.POLLOUT)
        except (NoFreeSlot, TooSlow, ServerStopping) as error:
            self._drop_send_buffer()
            # gunicorn handles this like a client that disconnected
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from error
        while self.send_buffer and self.send_buffered():
            pass

    def _drop_send_buffer(self) -> None:
        self.buffer_quota.release(len(self.send_buffer))
        self.send_buffer.clear()

    def _send_some(self, content: memoryview) -> int:
        try:
            sent = self.socket.send(content)
        except BlockingIOError:
            return 0
        self.unacknowledged_bytes += sent
        return sent

    def _keep(self, content: memoryview) -> bool:
        """Put `content` into the send buffer; return False if a limit forbids it."""
        fits = len(self.send_buffer) + len(content) <= MAX_SEND_BUFFER_BYTES
        if not fits or not self.buffer_quota.reserve(len(content)):
            return False
        self.send_buffer += content
        return True

    def _wait(self, event: int) -> None:
        """Wait for the client; a thread that waits needs a slot."""
        self.slot_holder.take()
        poll = select.poll()
        poll.register(self.socket, event)
        while not self.is_over and not self.rate.is_too_slow:
            began = time.monotonic()
            ready = poll.poll(1000 * min(CHECK_SECONDS, self.rate.left_seconds))
            self.rate.spend(time.monotonic() - began)
            self.count_acknowledged()
            if ready:
                return
        raise ServerStopping if self.is_over else TooSlow(self.bytes_per_second)

    def count_acknowledged(self) -> None:
        """Count the bytes that left the kernel's buffer, not those that went into it."""
        if self.unacknowledged_bytes:
            unacknowledged_bytes = count_unacknowledged(self.socket)
            acknowledged_bytes = max(0, self.unacknowledged_bytes - unacknowledged_bytes)
            self.rate.earn(acknowledged_bytes, most_seconds=MAX_SEND_GRACE_SECONDS)
            self.unacknowledged_bytes = unacknowledged_bytes

    # ---- what the worker's loop does

    def send_buffered(self) -> int:
        """Send what the client takes now; return the number of bytes. Raises OSError."""
        with memoryview(self.send_buffer) as content:
            sent = self._send_some(content)
        del self.send_buffer[:sent]
        self.buffer_quota.release(sent)
        return sent

    def send_at_once(self, content: bytes) -> None:
        """Send what the client takes now, and drop the rest: the loop must not wait."""
        self._send_some(memoryview(content))

    def finish(self) -> None:
        """Tell the client that nothing more will be sent."""
        self.is_over = True
        self.socket.shutdown(socket.SHUT_WR)

    # ---- what gunicorn asks of a socket

    def fileno(self) -> int:
        """Return the file descriptor, -1 when closed."""
        return self.socket.fileno()

    def shutdown(self, how: int) -> None:
        """Shut the connection down, and end every wait on it."""
        self.is_over = True
        self.socket.shutdown(how)

    def close(self) -> None:
        """Close the connection, drop what was not sent, and release the slot."""
        self._drop_send_buffer()
        self.slot_holder.release()
        self.socket.close()

    def gettimeout(self) -> None:
        """Return None: the minimum rate sets the time-outs."""

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: the minimum rate sets the time-outs."""

    def setblocking(self, flag: bool) -> None:
        """Do nothing: this socket never blocks in the kernel."""


def count_unacknowledged(connection: socket.socket) -> int:
    """Return how many bytes the other side has not acknowledged yet (tcp(7), SIOCOUTQ)."""
    answer = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])
