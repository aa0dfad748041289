"""The loop as a whole is tested with real processes: tests/acceptance/test_overload.py."""

import io
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError
from gunicorn.config import Config
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers import base
from gunicorn.workers.gthread import ThreadWorker

from piston.http.transfers import SLOT_HOLDER, SlotHolder, TransferSlots, name_client
from piston.web import minimum_rate
from piston.web.client_socket import BufferQuota, ClientSocket
from piston.web.connections import Connection, Phase
from piston.web.serving import is_read, serve
from piston.web.worker import Worker


class Request:
    """gunicorn's, as far as it matters here."""

    def __init__(self, *, expects_continue: bool) -> None:
        self._expected_100_continue = expects_continue


class Response:
    """gunicorn's, as far as it matters here."""

    must_close = False
    has_started = False

    def force_close(self) -> None:
        self.must_close = True

    def start_response(self, *_arguments: Any) -> None:
        self.has_started = True


class Holder:
    """A socket that has only a slot holder."""

    owes_continue = False

    def __init__(self, holder: SlotHolder) -> None:
        self.slot_holder = holder


def body_of(content: bytes, *, is_chunked: bool) -> Body:
    unreader = IterUnreader([content])
    return Body(ChunkedReader(object(), unreader) if is_chunked else LengthReader(unreader, 5))


BODIES = [(b"hello", False), (b"5\r\nhello\r\n0\r\n\r\n", True)]


@pytest.mark.parametrize(("content", "is_chunked"), BODIES)
def test_a_body_is_read_when_its_end_was_seen(content: bytes, is_chunked: bool) -> None:
    body = body_of(content, is_chunked=is_chunked)
    assert not is_read(body.reader)

    while body.read(5):
        pass

    assert is_read(body.reader)


@pytest.mark.parametrize(("content", "is_chunked"), BODIES)
@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("body_is_here", [True, False])
def test_an_answer_that_comes_before_its_body_ends_the_connection(
    content: bytes, is_chunked: bool, reads: bool, body_is_here: bool
) -> None:
    holder = SlotHolder(TransferSlots(1, per_client=1), "client", body_is_here=body_is_here)
    body = body_of(content, is_chunked=is_chunked)
    environ = {"gunicorn.socket": Holder(holder), "wsgi.input": body}
    response = Response()

    def application(environ: dict[str, Any], start_response: Any) -> io.BytesIO:
        while reads and body.read(5):
            pass
        start_response("200 OK", [])
        return io.BytesIO()

    serve(application, environ, response.start_response)

    assert environ[SLOT_HOLDER] is holder
    assert response.must_close is not (reads or body_is_here)


@pytest.mark.parametrize("body_is_here", [True, False])
def test_the_tree_of_a_client_is_looked_up_before_its_body_is_discarded(body_is_here: bool) -> None:
    holder = SlotHolder(TransferSlots(1, per_client=1), "client", body_is_here=body_is_here)

    answer_known_client(holder, lambda: "tree")

    assert holder.is_known_with_tree is not body_is_here
    assert holder.tree == ("client" if body_is_here else "tree")


def test_an_answer_goes_out_when_the_tree_cannot_be_looked_up() -> None:
    holder = SlotHolder(TransferSlots(1, per_client=1), "client", body_is_here=False)

    def fail() -> str:
        raise OperationalError("server closed the connection unexpectedly")

    response = answer_known_client(holder, fail)

    assert response.has_started
    assert not holder.is_known_with_tree


def answer_known_client(holder: SlotHolder, find_tree: Callable[[], str]) -> Response:
    """Refuse a client with a valid token before its body is read."""
    body = body_of(b"hello", is_chunked=False)
    response = Response()

    def application(environ: dict[str, Any], start_response: Any) -> io.BytesIO:
        name_client(environ, "client", find_tree)
        start_response("400 Bad Request", [])
        return io.BytesIO()

    environ = {"gunicorn.socket": Holder(holder), "wsgi.input": body}
    serve(application, environ, response.start_response)
    return response


def test_no_continue_is_sent_after_an_answer() -> None:
    holder = Holder(SlotHolder(TransferSlots(1, per_client=1), "client", body_is_here=False))
    holder.owes_continue = True
    body = body_of(b"hello", is_chunked=False)

    def application(_: dict[str, Any], start_response: Any) -> io.BytesIO:
        start_response("401 Unauthorized", [])
        return io.BytesIO()

    serve(application, {"gunicorn.socket": holder, "wsgi.input": body}, Response().start_response)

    assert not holder.owes_continue


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker that is prepared, but does not run."""
    monkeypatch.setattr(base.Worker, "init_process", lambda _: None)
    worker = Worker(0, os.getpid(), [], None, 60, Config(), None)
    worker.init_process()
    yield worker
    worker.murder_keepalived(force=True)
    worker.tpool.shutdown()
    worker.poller.close()
    worker.method_queue.close()
    worker.tmp.close()


@pytest.mark.parametrize("expects_continue", [True, False])
def test_gunicorn_sends_no_continue_before_the_body_is_read(
    worker: Worker, deaf: Connection, monkeypatch: pytest.MonkeyPatch, expects_continue: bool
) -> None:
    request = Request(expects_continue=expects_continue)
    handled = []

    def handle(_: ThreadWorker, request: Request, _connection: Connection) -> bool:
        handled.append(request._expected_100_continue)
        return True

    monkeypatch.setattr(ThreadWorker, "handle_request", handle)

    assert worker.handle_request(request, deaf)

    assert handled == [False]
    assert deaf.sock.owes_continue is expects_continue


@pytest.fixture
def deaf(worker: Worker) -> Iterator[Connection]:
    """A connection whose client takes nothing, when no memory is left for its answer."""
    near, far = socket.socketpair()
    worker.buffer_quota = BufferQuota(0)
    client_socket = ClientSocket(near, "client", worker.slots, worker.buffer_quota, 1024)
    with suppress(BlockingIOError):
        while True:
            near.send(bytes(2**16))
    worker.nr_conns += 1
    yield Connection(worker.cfg, client_socket, ("127.0.0.1", 1), ("127.0.0.1", 2))
    client_socket.close()
    far.close()


def test_a_refusal_does_not_wait_and_takes_no_slot(
    worker: Worker, deaf: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minimum_rate, "GRACE_SECONDS", 0.05)
    deaf.sock.begin(body_is_here=True)

    worker.refuse(deaf, "overloaded")

    assert deaf.sock.rate.left_seconds == minimum_rate.GRACE_SECONDS  # no time was spent waiting
    assert worker.slots.taken == 0
    assert deaf.phase is Phase.LINGERING


def test_a_known_client_lingers_and_gives_its_slot_back(worker: Worker, deaf: Connection) -> None:
    worker.alive = True
    deaf.sock.slot_holder.is_known = True

    worker.linger(deaf)
    assert (worker.linger_slots.taken, deaf.deadline) == (1, deaf.linger and deaf.linger.deadline)
    worker.drop(deaf)

    assert worker.linger_slots.taken == 0


@pytest.mark.parametrize(
    ("acknowledged_bytes", "phase"),
    [(0, None), (10_000, Phase.SENDING)],
    ids=["nothing", "something"],
)
def test_a_client_is_given_up_when_it_has_taken_nothing_of_its_answer(
    worker: Worker,
    deaf: Connection,
    monkeypatch: pytest.MonkeyPatch,
    acknowledged_bytes: int,
    phase: Phase | None,
) -> None:
    worker.wait(deaf, Phase.SENDING, 0.0)
    monkeypatch.setattr(
        deaf.sock, "count_acknowledged", lambda: deaf.sock.rate.earn(acknowledged_bytes)
    )

    worker.time_out(deaf)

    assert deaf.phase is phase
