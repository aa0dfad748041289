"""What does a client get that no thread will serve? The same envelope, in the same words."""

from __future__ import annotations

import secrets
import socket
from http import HTTPStatus

from django.http import HttpRequest
from gunicorn import util  # type: ignore[import-untyped]

from piston.http.envelope import encode_json
from piston.http.errors import (
    ApiError,
    FaultyRequest,
    InternalError,
    Overloaded,
    RequestTimeout,
    respond,
)
from piston.relied_on import rely_on

MAX_REASON_LENGTH = 300  # characters; it may quote what was sent
NAMES = {
    414: "uri_too_long",
    417: "expectation_failed",
    431: "request_head_too_large",
    501: "not_implemented",  # a Transfer-Encoding other than chunked
}


rely_on(
    __name__,
    util,
    write_error="sock, status_int, reason, mesg",
    write_nonblock="sock, data, chunked=False",
)


def answer_in_the_envelope() -> None:
    """Let gunicorn say in the envelope what it refuses by itself: what is not HTTP."""
    util.write_error = write_error


def write_error(client: socket.socket, status: int, reason: str, message: str) -> None:
    """Write what gunicorn would put into a page of HTML; `message` may be empty."""
    util.write_nonblock(client, encode(not_http(status, message or reason)))


def not_http(status: int, reason: str) -> ApiError:
    """Return what is said about a request that cannot be read, 400 mostly."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return InternalError()
    if status not in NAMES:
        return FaultyRequest(reason[:MAX_REASON_LENGTH])
    name = NAMES[status]
    data = {"message": name.replace("_", " "), "reason": reason[:MAX_REASON_LENGTH]}
    return ApiError(status, name, data)


def overloaded() -> ApiError:
    """Return 503."""
    return Overloaded()


def head_too_slow() -> ApiError:
    """Return 408."""
    return RequestTimeout("the head of the request was not complete in time")


def head_too_long() -> ApiError:
    """Return 431."""
    return ApiError(431, "request_head_too_large")


def encode(answer: ApiError) -> bytes:
    """Return the whole response, after which the connection is closed."""
    request = HttpRequest()
    request.request_id = secrets.token_hex(16)  # type: ignore[attr-defined]
    body = encode_json(respond(answer).envelope(request))
    headers = {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "X-Request-Id": request.request_id,  # type: ignore[attr-defined]
        **answer.headers,
    }
    first = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"
    lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
