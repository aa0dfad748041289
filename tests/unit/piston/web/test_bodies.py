from collections.abc import Sequence

import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import IterUnreader, SocketUnreader

from piston.web.bodies import read_unbuffered

CONTENT = b"0123456789" * 10
NEXT = b"GET /healthz HTTP/1.1\r\n"


class Socket:
    """A socket that returns the received bytes piece by piece."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def recv(self, size: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if piece[size:]:
            self.pieces.insert(0, piece[size:])
        return piece[:size]


def body_of(pieces: Sequence[bytes], *, length: int, early: bytes = b"") -> Body:
    """Return a body whose first bytes, `early`, arrived with the head."""
    unreader = SocketUnreader(Socket(*pieces))
    unreader.unread(early)
    body = Body(LengthReader(unreader, length))
    read_unbuffered(body)
    return body


@pytest.mark.parametrize("early", [0, 1, 7, 100])
@pytest.mark.parametrize("piece", [1, 13, 100])
@pytest.mark.parametrize("size", [1, 7, 64, 100, 1000])
def test_a_body_is_read_whole_whatever_came_with_its_head(
    early: int, piece: int, size: int
) -> None:
    rest = CONTENT[early:]
    pieces = [rest[start : start + piece] for start in range(0, len(rest), piece)]
    body = body_of(pieces, length=len(CONTENT), early=CONTENT[:early])

    blocks = list(iter(lambda: body.read(size), b""))

    assert b"".join(blocks) == CONTENT
    assert all(len(block) == size for block in blocks[:-1])
    assert body.reader.length == 0


@pytest.mark.parametrize("early", [0, 40, 110])
def test_the_next_request_is_left_for_the_parser(early: int) -> None:
    everything = CONTENT + NEXT
    body = body_of([everything[early:]], length=len(CONTENT), early=everything[:early])

    content = body.read(1000)

    assert content == CONTENT
    unreader = body.reader.unreader
    assert b"".join(iter(unreader.read, b"")) == NEXT


def test_a_body_that_breaks_off_is_not_taken_for_complete() -> None:
    body = body_of([CONTENT], length=len(CONTENT) + 1)

    assert body.read(1000) == CONTENT
    assert body.read(1000) == b""
    assert body.reader.length == 1


def test_what_the_socket_gave_is_not_copied() -> None:
    piece = bytes(100_000)
    body = body_of([piece], length=len(piece))

    assert body.reader.read(len(piece)) is piece


def test_a_chunked_body_is_left_to_gunicorn() -> None:
    body = Body(ChunkedReader(object(), IterUnreader([b"5\r\nhello\r\n0\r\n\r\n"])))

    read_unbuffered(body)

    assert body.read() == b"hello"
