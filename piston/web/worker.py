"""gunicorn's worker class of ours: it serves thousands of clients with a few dozen threads."""

from __future__ import annotations

import errno
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.http.message import Request  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from piston import settings
from piston.relied_on import SET_IN_INIT, rely_on
from piston.web.client_socket import ClientSocket
from piston.web.connections import Connection, Phase
from piston.web.loop import HEAD_SECONDS, ConnectionLoop
from piston.web.serving import serve

CUT_SECONDS = 3.0  # before the grace period ends, transfers that are still open are cut in order
ACCEPT_COUNT = 64  # connections in one go

rely_on(
    __name__,
    ThreadWorker,
    get_thread_pool="self",
    load_wsgi="self",
    accept="self, listener",
    handle="self, conn",
    handle_request="self, req, conn",
    finish_request="self, conn, fs",
    murder_keepalived="self, force=False",
    _cap_keepalive="self, deadline",
    cfg=SET_IN_INIT,
    nr_conns=SET_IN_INIT,
    worker_connections=SET_IN_INIT,
)
rely_on(__name__, Request, _expected_100_continue=bool)


class Worker(ConnectionLoop):
    """The members that gunicorn calls. A thread waits for a client only with a slot."""

    next_check_at = 0.0  # of deadlines; time.monotonic()
    cut_at: float | None = None  # when transfers end because the server stops; time.monotonic()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Return the threads, and one more that is reserved for a health check."""
        return ThreadPoolExecutor(max_workers=self.cfg.threads + 1, thread_name_prefix="web")

    def load_wsgi(self) -> None:
        """Load the application, and put a slot holder into each request's environment."""
        super().load_wsgi()
        application: Any = self.wsgi  # type: ignore[has-type]
        self.wsgi = partial(serve, application)

    def accept(self, listener: socket.socket) -> None:
        """Accept new connections; for each one beyond the limit, close the least needed one."""
        for _ in range(ACCEPT_COUNT):
            try:
                raw_socket, address = listener.accept()
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE}:
                    self.make_room()
                elif error.errno not in {errno.EAGAIN, errno.ECONNABORTED}:
                    raise
                return
            self.nr_conns += 1
            rate = settings.PISTON_SLOWEST_BYTES_PER_SECOND
            client_socket = ClientSocket(
                raw_socket, str(address[0]), self.slots, self.buffer_quota, rate
            )
            connection = Connection(self.cfg, client_socket, address, listener.getsockname())
            self.wait(connection, Phase.RECEIVING, HEAD_SECONDS)
            if self.nr_conns >= self.worker_connections:
                self.make_room()

    def handle(self, conn: Connection) -> bool:
        """Handle a request in a thread, and release its slot."""
        try:
            return bool(super().handle(conn))
        finally:
            conn.sock.slot_holder.release()

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Handle a request; send `100 Continue` when its body is read, and not before."""
        conn.sock.owes_continue = req._expected_100_continue
        req._expected_100_continue = False
        return bool(super().handle_request(req, conn))

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """Take a connection back from its thread."""
        self.request_queue.finish(conn)
        conn.keeps_alive = not fs.cancelled() and fs.exception() is None and fs.result()
        self.finish_answer(conn)
        self.dispatch()

    def murder_keepalived(self, force: bool = False) -> None:
        """End waits past their deadline. gunicorn calls this often; we check once a second."""
        now = time.monotonic()
        if force:
            for connection in self.waiting:
                self.drop(connection)
        if now < self.next_check_at:
            return
        self.next_check_at = now + 1
        for connection in self.waiting.overdue():
            self.time_out(connection)
        if self.cut_at is not None and now >= self.cut_at:
            for connection in self.request_queue.busy:
                connection.sock.is_over = True

    def _cap_keepalive(self, deadline: float) -> None:
        """Shorten all waits because the server stops: gunicorn calls this once."""
        self.waiting.shorten_deadlines(deadline - time.monotonic())
        self.cut_at = time.monotonic() + self.cfg.graceful_timeout - CUT_SECONDS
