"""Reads a body of known length from the socket without copying it repeatedly."""

from __future__ import annotations

from typing import Any

from gunicorn.http.body import Body, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.unreader import Unreader  # type: ignore[import-untyped]

from piston.relied_on import SET_IN_INIT, rely_on

rely_on(
    __name__,
    LengthReader,
    __init__="self, unreader, length",
    read="self, size",
    unreader=SET_IN_INIT,
    length=SET_IN_INIT,
)
rely_on(
    __name__,
    Unreader,
    take_buffered="self",
    unread="self, data",
    chunk="self, size_hint=None",
)
rely_on(__name__, Body, reader=SET_IN_INIT)


class UnbufferedReader(LengthReader):  # type: ignore[misc]
    """gunicorn's reader of such a body, which passes on what the socket returns.

    gunicorn's own keeps a MiB ahead. For every block that is read from that, it copies all the
    rest: this took half of the time that the server spent on an upload.
    """

    def read(self, size: int) -> bytes:
        """Return `size` bytes; fewer only at the end, or when the client has disconnected."""
        wanted = min(size, self.length)
        pieces: list[bytes] = []
        early = self.unreader.take_buffered()  # came with the head
        while wanted and (piece := early or self.unreader.chunk(wanted)):
            early = piece[wanted:]
            pieces.append(piece[:wanted])
            wanted -= len(pieces[-1])
        if early:
            self.unreader.unread(early)  # the next request has begun
        content = b"".join(pieces)
        self.length -= len(content)
        return content


def read_unbuffered(body: Any) -> None:
    """Replace the reader of gunicorn's `body`, if the length of the body is known."""
    if type(body.reader) is LengthReader:
        body.reader = UnbufferedReader(body.reader.unreader, body.reader.length)
