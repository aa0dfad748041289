"""The loop itself is tested with real processes: tests/acceptance/test_overload.py."""

import io
from typing import Any

import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import IterUnreader

from piston.http.transfers import TICKET, Places, Ticket
from piston.web.worker import is_read, serve


class Response:
    """gunicorn's, as far as it matters here."""

    must_close = False

    def force_close(self) -> None:
        self.must_close = True

    def start_response(self, *_arguments: Any) -> None:
        pass


class Wire:
    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket


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
    ticket = Ticket(Places(1, per_client=1), "client", body_is_here=body_is_here)
    body = body_of(content, is_chunked=is_chunked)
    environ = {"gunicorn.socket": Wire(ticket), "wsgi.input": body}
    response = Response()

    def application(environ: dict[str, Any], start_response: Any) -> io.BytesIO:
        while reads and body.read(5):
            pass
        start_response("200 OK", [])
        return io.BytesIO()

    serve(application, environ, response.start_response)

    assert environ[TICKET] is ticket
    assert response.must_close is not (reads or body_is_here)
