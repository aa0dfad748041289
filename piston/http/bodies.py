"""Reads a request's body as a stream, within a limit, and detects a body that is cut short.

Django under WSGI treats a body without Content-Length (Transfer-Encoding: chunked) as empty. A
server that delimits such bodies itself sets `wsgi.input_terminated`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from django.http import HttpRequest
from rest_framework.request import Request

from piston.http.errors import (
    ApiError,
    FaultyRequest,
    LengthRequired,
    RequestTimeout,
    RequestTooLarge,
)
from piston.http.transfers import NoFreeSlot, ServerStopping, TooSlow, take_slot_for_body
from piston.readable import Readable

BLOCK_BYTES = 64 * 1024
MAX_SMALL_JSON_BYTES = 16 * 1024  # else 413; parsing a body at once blocks the interpreter


class Body:
    """The bytes of a request, read once from front to back.

    Raises RequestTooLarge beyond `limit_bytes`, at once if Content-Length exceeds it;
    FaultyRequest if the client disconnects before it has sent everything; RequestTimeout if it is
    too slow; ServerStopping if the server cannot wait for the rest.
    """

    def __init__(self, source: Readable, *, length: int | None, limit_bytes: int) -> None:
        if length is not None and length > limit_bytes:
            raise RequestTooLarge(limit_bytes)
        self._source = source
        self.length = length
        self._limit_bytes = limit_bytes
        self._fault: Exception | None = None
        self.read_bytes = 0

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        """Return at most `size` bytes; b"" only when the body is complete.

        After a fault, every further read raises it again, since a server may return b"" then.
        """
        if self._fault is not None:
            raise self._fault
        try:
            return self._read(size)
        except (ApiError, NoFreeSlot, ServerStopping) as fault:
            self._fault = fault
            raise

    def _read(self, size: int) -> bytes:
        if self.length is not None:
            size = min(size, self.length - self.read_bytes)
        if size == 0:
            return b""
        try:
            block = self._source.read(size)
        except TooSlow as error:
            raise RequestTimeout(str(error)) from error
        except (NoFreeSlot, ServerStopping):
            raise
        except Exception as error:
            raise FaultyRequest("the body ended before it was complete") from error
        self.read_bytes += len(block)
        if self.read_bytes > self._limit_bytes:
            raise RequestTooLarge(self._limit_bytes)
        if not block and self.length is not None:
            raise FaultyRequest("the body ended before it was complete")
        return block

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in blocks."""
        return iter(self.read, b"")


def open_body(request: HttpRequest | Request, *, limit_bytes: int) -> Body:
    """Return the body of `request`; from now on, the thread may wait for the client.

    Raises LengthRequired, RequestTooLarge, FaultyRequest, and NoFreeSlot when too many wait.
    """
    environ = request.META
    body = find_body(environ, limit_bytes)
    take_slot_for_body(environ)
    return body


def find_body(environ: dict[str, Any], limit_bytes: int) -> Body:
    """Return the body of the request, after the checks that need no byte of it."""
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        if not environ.get("wsgi.input_terminated"):
            raise LengthRequired
        return Body(environ["wsgi.input"], length=None, limit_bytes=limit_bytes)
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        raise FaultyRequest("Content-Length is not a number")
    return Body(environ["wsgi.input"], length=int(length), limit_bytes=limit_bytes)


def read_json(request: HttpRequest | Request) -> dict[str, Any]:
    """Return the JSON object in the body, {} for an empty body; ignore the Content-Type.

    For endpoints with small bodies. Raises FaultyRequest (`invalid_json`), and RequestTooLarge
    beyond MAX_SMALL_JSON_BYTES, before the body is read if Content-Length exceeds that.
    """
    body = open_body(request, limit_bytes=MAX_SMALL_JSON_BYTES)
    return parse_json(b"".join(body))


def parse_json(text: bytes) -> dict[str, Any]:
    """Return the JSON object in `text`, {} for an empty text. Raises FaultyRequest."""
    if not text.strip():
        return {}
    try:
        document = json.loads(text.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FaultyRequest(reason, message="invalid_json") from error
    if not isinstance(document, dict):
        raise FaultyRequest("the body has to be a JSON object", message="invalid_json")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
