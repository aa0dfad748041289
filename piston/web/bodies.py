"""How does a body of known length come from the socket? Without being copied again and again."""

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


class StraightReader(LengthReader):  # type: ignore[misc]
    """gunicorn's reader of such a body, which hands on what the socket gave as it is.

    The original keeps a MiB ahead, and copies all that is left of it for every block that is taken
    out: half of the time that the server spent on an upload.
    """

    def read(self, size: int) -> bytes:
        """Return `size` bytes; fewer only at the end, or when the client has gone."""
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


def read_straight(body: Any) -> None:
    """Let gunicorn's `body` be read without a detour, if its length is known."""
    if type(body.reader) is LengthReader:
        body.reader = StraightReader(body.reader.unreader, body.reader.length)
