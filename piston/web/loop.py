"""The course of a connection in a worker's loop, which does everything that waits for a client.

It receives request heads and small bodies, sends the rest of answers, and closes connections.
Requests that are ready wait for a thread in one short queue.
"""

from __future__ import annotations

import selectors
import time
from contextlib import suppress
from functools import partial
from typing import cast

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from piston import settings
from piston.http.transfers import TransferSlots
from piston.relied_on import SET_IN_INIT, rely_on
from piston.web.client_socket import BufferQuota, ClientSocket
from piston.web.connections import Connection, Phase, WaitingConnections
from piston.web.lingering import MAX_LINGER_COUNT, Linger
from piston.web.minimum_rate import GRACE_SECONDS
from piston.web.request_heads import Arrival, classify, is_health_check
from piston.web.request_queue import RequestQueue

HEAD_SECONDS = 10.0  # for a head and a small body, from the first byte to the last
STOP_SECONDS = 2.0  # for connections in the loop, when the server stops
MAX_SEND_BUFFERS_BYTES = 64 * 2**20  # the send buffers of all clients together
BLOCK_BYTES = 16 * 1024

rely_on(
    __name__,
    ThreadWorker,
    init_process="self",
    enqueue_req="self, conn",
    alive=SET_IN_INIT,
    cfg=SET_IN_INIT,
    nr_conns=SET_IN_INIT,
    poller=SET_IN_INIT,
    worker_connections=SET_IN_INIT,
)


class ConnectionLoop(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, whose loop serves the connections that have no thread."""

    def init_process(self) -> None:
        """Prepare what the loop needs, then run it."""
        self.waiting = WaitingConnections()
        self.request_queue = RequestQueue(self.cfg.threads)
        self.slots = TransferSlots(
            settings.PISTON_WEB_TRANSFERS, per_client=max(1, settings.PISTON_WEB_TRANSFERS // 2)
        )
        self.linger_slots = TransferSlots(MAX_LINGER_COUNT, per_client=MAX_LINGER_COUNT // 2)
        self.buffer_quota = BufferQuota(MAX_SEND_BUFFERS_BYTES)
        self.worker_connections = settings.PISTON_WEB_CONNECTIONS
        super().init_process()

    # ---- waiting

    def wait(self, connection: Connection, phase: Phase, seconds: float) -> None:
        """Let a connection wait in the loop, without a thread."""
        event = selectors.EVENT_WRITE if phase is Phase.SENDING else selectors.EVENT_READ
        try:
            self.poller.register(connection.sock, event, partial(self.resume, connection))
        except (ValueError, KeyError):  # closed already
            self.close_connection(connection)
        else:
            self.waiting.add(connection, phase, seconds)

    def stop_waiting(self, connection: Connection) -> None:
        """Take a connection out of the loop."""
        with suppress(KeyError, ValueError):
            self.poller.unregister(connection.sock)
        self.waiting.remove(connection)

    def resume(self, connection: Connection, _socket: ClientSocket) -> None:
        """Take the next step of a connection that can go on."""
        steps = {
            Phase.IDLE: self.receive,
            Phase.RECEIVING: self.receive,
            Phase.SENDING: self.send_rest,
            Phase.LINGERING: self.discard,
        }
        if connection.phase is None:  # dropped a moment ago, by another event of the same round
            return
        try:
            steps[connection.phase](connection)
        except BlockingIOError:
            return
        except OSError:
            self.drop(connection)

    def time_out(self, connection: Connection) -> None:
        """End the wait of a connection whose deadline has passed."""
        if connection.phase is Phase.SENDING:
            self.extend_deadline(connection)
            if connection.deadline > time.monotonic():
                return
        if connection.phase is not Phase.RECEIVING or not connection.received:
            self.drop(connection)
            return
        self.stop_waiting(connection)
        if classify(connection.received) is Arrival.PART_OF_BODY:
            self.enqueue(connection, body_is_here=False)  # now it is a slow upload like any other
        else:
            self.refuse(connection, "head_too_slow")

    # ---- from the client to a thread

    def receive(self, connection: Connection) -> None:
        """Receive more of a request."""
        block = connection.sock.socket.recv(BLOCK_BYTES)
        if not block:
            self.drop(connection)
            return
        self.stop_waiting(connection)
        self.examine(connection, block)

    def examine(self, connection: Connection, block: bytes) -> None:
        """Queue a request that is ready; otherwise wait for more of it."""
        is_first = not connection.received
        if is_first:
            connection.head_deadline = time.monotonic() + HEAD_SECONDS
        searched = len(connection.received)
        connection.received += block
        arrival = classify(connection.received, searched=searched)
        if arrival is Arrival.TOO_LONG:
            self.refuse(connection, "head_too_long")
        elif arrival in {Arrival.WHOLE, Arrival.HEAD}:
            self.enqueue(connection, body_is_here=arrival is Arrival.WHOLE)
        else:
            seconds = connection.head_deadline - time.monotonic()
            self.wait(connection, Phase.RECEIVING, seconds)

    def enqueue(self, connection: Connection, *, body_is_here: bool) -> None:
        """Queue a request for a thread, or refuse it when the queue is full."""
        if self.request_queue.add(connection, is_urgent=is_health_check(connection.received)):
            connection.begin(body_is_here=body_is_here)
            self.dispatch()
        else:
            self.refuse(connection, "overloaded")

    def dispatch(self) -> None:
        """Give the next requests to the threads that are free."""
        while (connection := self.request_queue.start_next()) is not None:
            self.enqueue_req(connection)

    # ---- back to the client

    def finish_answer(self, connection: Connection) -> None:
        """Decide what follows an answer: its rest, the next request, or the end."""
        if connection.sock.send_buffer:
            connection.sock.rate.left_seconds = GRACE_SECONDS
            self.wait(connection, Phase.SENDING, GRACE_SECONDS)
        elif not connection.keeps_alive:
            self.linger(connection)
        elif early := connection.parser.unreader.take_buffered():
            self.examine(connection, early)
        else:
            self.wait(connection, Phase.IDLE, self.cfg.keepalive if self.alive else STOP_SECONDS)

    def send_rest(self, connection: Connection) -> None:
        """Send more of an answer."""
        connection.sock.send_buffered()
        self.extend_deadline(connection)
        if not connection.sock.send_buffer:
            self.stop_waiting(connection)
            self.finish_answer(connection)

    def extend_deadline(self, connection: Connection) -> None:
        """Extend the deadline by the time that the client's acknowledged bytes have earned."""
        rate = connection.sock.rate
        rate.left_seconds = connection.deadline - time.monotonic()
        connection.sock.count_acknowledged()
        connection.deadline = time.monotonic() + rate.left_seconds

    def refuse(self, connection: Connection, why: str) -> None:
        """Answer without a thread, and close the connection."""
        from piston.web import refusals  # needs Django, which is set up after this was imported

        connection.keeps_alive = False
        with suppress(OSError):
            connection.sock.send_at_once(refusals.encode(getattr(refusals, why)()))
        self.finish_answer(connection)

    # ---- the end of a connection

    def linger(self, connection: Connection) -> None:
        """End a connection so that the client can read its answer first."""
        client_socket = connection.sock
        try:
            client_socket.finish()
        except OSError:
            self.close_connection(connection)
            return
        connection.linger = Linger(
            self.linger_slots, client_socket.slot_holder, client_socket.bytes_per_second
        )
        self.wait(connection, Phase.LINGERING, STOP_SECONDS)
        if self.alive:
            connection.deadline = connection.linger.deadline

    def discard(self, connection: Connection) -> None:
        """Read and discard what a client still sends, up to a limit."""
        block = connection.sock.socket.recv(4 * BLOCK_BYTES)
        linger = cast("Linger", connection.linger)
        if not block or not linger.accepts(len(block)):
            self.drop(connection)
        elif self.alive:
            connection.deadline = linger.deadline

    def make_room(self) -> None:
        """Close the connection that is least needed."""
        if (connection := self.waiting.least_needed()) is not None:
            self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection that waits in the loop."""
        self.stop_waiting(connection)
        self.close_connection(connection)

    def close_connection(self, connection: Connection) -> None:
        """Close a connection that is not in the loop."""
        self.nr_conns -= 1
        connection.close()
