"""How does a worker process of gunicorn serve thousands of clients with some threads?

Its loop does everything that waits for a client: heads of requests, small bodies, the ends of
answers, connections that are kept or closed. What is ready waits for a thread in one short queue.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, cast

from gunicorn.http.message import Request  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from piston import settings
from piston.http.transfers import TransferSlots
from piston.relied_on import SET_IN_INIT, rely_on
from piston.web.connections import Connection, Phase, Waiting
from piston.web.heads import Arrival, is_urgent, look_at
from piston.web.lingering import MAX_LINGER_COUNT, Linger
from piston.web.pace import GRACE_SECONDS
from piston.web.serving import serve
from piston.web.turns import Turns
from piston.web.wire import Memory, Wire

HEAD_SECONDS = 10.0  # for a head and a small body, from the first byte to the last
STOP_SECONDS = 2.0  # for connections in the loop, when the server stops
CUT_SECONDS = 3.0  # before the end of the grace: transfers that are still open end in order
OUTBOXES_BYTES = 64 * 2**20  # of answers that wait for their clients, all together
BLOCK_BYTES = 16 * 1024
ACCEPT_COUNT = 64  # connections in one go

rely_on(
    __name__,
    ThreadWorker,
    init_process="self",
    get_thread_pool="self",
    load_wsgi="self",
    accept="self, listener",
    enqueue_req="self, conn",
    handle="self, conn",
    handle_request="self, req, conn",
    finish_request="self, conn, fs",
    murder_keepalived="self, force=False",
    _cap_keepalive="self, deadline",
    alive=SET_IN_INIT,
    cfg=SET_IN_INIT,
    nr_conns=SET_IN_INIT,
    poller=SET_IN_INIT,
    worker_connections=SET_IN_INIT,
)
rely_on(__name__, Request, _expected_100_continue=bool)


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, in whose threads no client is waited for without a slot."""

    def init_process(self) -> None:
        """Prepare what the loop needs, then run it."""
        self.waiting = Waiting()
        self.turns = Turns(self.cfg.threads)
        self.slots = TransferSlots(
            settings.PISTON_WEB_TRANSFERS, per_client=max(1, settings.PISTON_WEB_TRANSFERS // 2)
        )
        self.lingering = TransferSlots(MAX_LINGER_COUNT, per_client=MAX_LINGER_COUNT // 2)
        self.memory = Memory(OUTBOXES_BYTES)
        self.next_look = 0.0
        self.cut_at: float | None = None
        self.worker_connections = settings.PISTON_WEB_CONNECTIONS
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Return the threads: one more, for the question whether the service is well."""
        return ThreadPoolExecutor(max_workers=self.cfg.threads + 1, thread_name_prefix="web")

    def load_wsgi(self) -> None:
        """Load the application and put a holder into each request's environment."""
        super().load_wsgi()
        application: Any = self.wsgi  # type: ignore[has-type]
        self.wsgi = partial(serve, application)

    # ---- from the client

    def accept(self, listener: socket.socket) -> None:
        """Accept what is there; for each beyond the limit, the least needed one goes."""
        for _ in range(ACCEPT_COUNT):
            try:
                client_socket, address = listener.accept()
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE}:
                    self.make_room()
                elif error.errno not in {errno.EAGAIN, errno.ECONNABORTED}:
                    raise
                return
            self.nr_conns += 1
            rate = settings.PISTON_SLOWEST_BYTES_PER_SECOND
            wire = Wire(client_socket, str(address[0]), self.slots, self.memory, rate)
            connection = Connection(self.cfg, wire, address, listener.getsockname())
            self.wait(connection, Phase.ARRIVING, HEAD_SECONDS)
            if self.nr_conns >= self.worker_connections:
                self.make_room()

    def make_room(self) -> None:
        """Close the connection that is least needed."""
        if (connection := self.waiting.least_needed()) is not None:
            self.drop(connection)

    def wait(self, connection: Connection, phase: Phase, seconds: float) -> None:
        """Let a connection wait in the loop, without a thread."""
        event = selectors.EVENT_WRITE if phase is Phase.LEAVING else selectors.EVENT_READ
        try:
            self.poller.register(connection.sock, event, partial(self.go_on, connection))
        except (ValueError, KeyError):  # closed already
            self.forget(connection)
        else:
            self.waiting.add(connection, phase, seconds)

    def go_on(self, connection: Connection, _wire: Wire) -> None:
        """Do what a connection has waited for."""
        steps = {
            Phase.IDLE: self.take_in,
            Phase.ARRIVING: self.take_in,
            Phase.LEAVING: self.send_rest,
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

    def take_in(self, connection: Connection) -> None:
        """Take in what has arrived of a request."""
        block = connection.sock.socket.recv(BLOCK_BYTES)
        if not block:
            self.drop(connection)
            return
        self.stop_waiting(connection)
        self.examine(connection, block)

    def examine(self, connection: Connection, block: bytes) -> None:
        """Queue a request that is ready; wait for more of it otherwise."""
        is_first = not connection.received
        if is_first:
            connection.head_deadline = time.monotonic() + HEAD_SECONDS
        searched = len(connection.received)
        connection.received += block
        arrival = look_at(connection.received, searched=searched)
        if arrival is Arrival.TOO_LONG:
            self.refuse(connection, "head_too_long")
        elif arrival in {Arrival.WHOLE, Arrival.HEAD}:
            self.queue(connection, body_is_here=arrival is Arrival.WHOLE)
        else:
            seconds = connection.head_deadline - time.monotonic()
            self.wait(connection, Phase.ARRIVING, seconds)

    # ---- to a thread and back

    def queue(self, connection: Connection, *, body_is_here: bool) -> None:
        """Let a request wait for a thread, or refuse it when too many do."""
        if self.turns.add(connection, is_urgent=is_urgent(connection.received)):
            connection.begin(body_is_here=body_is_here)
            self.dispatch()
        else:
            self.refuse(connection, "overloaded")

    def dispatch(self) -> None:
        """Give threads that are free the requests whose turn it is."""
        while (connection := self.turns.begin()) is not None:
            self.enqueue_req(connection)

    def handle(self, conn: Connection) -> bool:
        """Handle a request, in a thread; its slot is free afterwards."""
        try:
            return bool(super().handle(conn))
        finally:
            conn.sock.slot_holder.release()

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Handle a request; `100 Continue` is sent when its body is read, and not before."""
        conn.sock.owes_continue = req._expected_100_continue
        req._expected_100_continue = False
        return bool(super().handle_request(req, conn))

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """Take a connection back from its thread."""
        self.turns.end(conn)
        conn.keeps_alive = not fs.cancelled() and fs.exception() is None and fs.result()
        self.settle(conn)
        self.dispatch()

    # ---- to the client

    def settle(self, connection: Connection) -> None:
        """Decide what comes after an answer: its rest, the next request, or the end."""
        if connection.sock.outbox:
            connection.sock.pace.left_seconds = GRACE_SECONDS
            self.wait(connection, Phase.LEAVING, GRACE_SECONDS)
        elif not connection.keeps_alive:
            self.linger(connection)
        elif early := connection.parser.unreader.take_buffered():
            self.examine(connection, early)
        else:
            self.wait(connection, Phase.IDLE, self.cfg.keepalive if self.alive else STOP_SECONDS)

    def send_rest(self, connection: Connection) -> None:
        """Send more of an answer."""
        connection.sock.send_outbox()
        self.give_time(connection)
        if not connection.sock.outbox:
            self.stop_waiting(connection)
            self.settle(connection)

    def give_time(self, connection: Connection) -> None:
        """Let each byte that the client has taken give it time for others."""
        pace = connection.sock.pace
        pace.left_seconds = connection.deadline - time.monotonic()
        connection.sock.count_taken()
        connection.deadline = time.monotonic() + pace.left_seconds

    def refuse(self, connection: Connection, why: str) -> None:
        """Answer without a thread, and close the connection."""
        from piston.web import refusals  # needs Django, which is set up after this was imported

        connection.keeps_alive = False
        with suppress(OSError):
            connection.sock.send_at_once(refusals.encode(getattr(refusals, why)()))
        self.settle(connection)

    def linger(self, connection: Connection) -> None:
        """End a connection so that the client can read its answer first."""
        wire = connection.sock
        try:
            wire.finish()
        except OSError:
            self.forget(connection)
            return
        connection.linger = Linger(self.lingering, wire.slot_holder, wire.bytes_per_second)
        self.wait(connection, Phase.LINGERING, STOP_SECONDS)
        if self.alive:
            connection.deadline = connection.linger.deadline

    def discard(self, connection: Connection) -> None:
        """Take in what nobody wants, up to a limit."""
        block = connection.sock.socket.recv(4 * BLOCK_BYTES)
        linger = cast("Linger", connection.linger)
        if not block or not linger.accepts(len(block)):
            self.drop(connection)
        elif self.alive:
            connection.deadline = linger.deadline

    # ---- the end

    def stop_waiting(self, connection: Connection) -> None:
        """Take a connection out of the loop."""
        with suppress(KeyError, ValueError):
            self.poller.unregister(connection.sock)
        self.waiting.remove(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection that waits in the loop."""
        self.stop_waiting(connection)
        self.forget(connection)

    def forget(self, connection: Connection) -> None:
        """Close a connection that waits nowhere."""
        self.nr_conns -= 1
        connection.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """Look after whoever has waited for too long, once a second. gunicorn calls it often."""
        now = time.monotonic()
        if force:
            for connection in self.waiting:
                self.drop(connection)
        if now < self.next_look:
            return
        self.next_look = now + 1
        for connection in self.waiting.overdue():
            self.give_up(connection)
        if self.cut_at is not None and now >= self.cut_at:
            for connection in self.turns.busy:
                connection.sock.is_over = True

    def give_up(self, connection: Connection) -> None:
        """End the wait of a connection whose time is up."""
        if connection.phase is Phase.LEAVING:
            self.give_time(connection)
            if connection.deadline > time.monotonic():
                return
        if connection.phase is not Phase.ARRIVING or not connection.received:
            self.drop(connection)
            return
        self.stop_waiting(connection)
        if look_at(connection.received) is Arrival.PART_OF_BODY:
            self.queue(connection, body_is_here=False)  # now it is a slow upload like any other
        else:
            self.refuse(connection, "head_too_slow")

    def _cap_keepalive(self, deadline: float) -> None:
        """Hurry when the server stops: gunicorn calls this once."""
        self.waiting.hurry(deadline - time.monotonic())
        self.cut_at = time.monotonic() + self.cfg.graceful_timeout - CUT_SECONDS
