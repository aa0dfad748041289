"""Answers that are sent without a thread: the same envelope, with the same messages."""

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

MAX_REASON_LENGTH = 300  # characters; the reason may quote the request
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
    """Put gunicorn's own refusals, of requests that are not HTTP, into the envelope."""
    util.write_error = write_error


def write_error(client: socket.socket, status: int, reason: str, message: str) -> None:
    """Write a refusal, in place of gunicorn's HTML page; `message` may be empty."""
    util.write_nonblock(client, encode(not_http(status, message or reason)))


def not_http(status: int, reason: str) -> ApiError:
    """Return the answer to a request that cannot be parsed, mostly a 400."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return InternalError()
    if status not in NAMES:
        return FaultyRequest(reason[:MAX_REASON_LENGTH])
    name = NAMES[status]
    data = {"message": name.replace("_", " "), "reason": reason[:MAX_REASON_LENGTH]}
    return ApiError(status, name, data)


def overloaded() -> ApiError:
    """Return the 503 for a full queue."""
    return Overloaded()


def head_too_slow() -> ApiError:
    """Return the 408 for a head that was not complete in time."""
    return RequestTimeout("the head of the request was not complete in time")


def head_too_long() -> ApiError:
    """Return the 431 for a head beyond the limit."""
    return ApiError(431, "request_head_too_large")


def encode(answer: ApiError) -> bytes:
    """Return the bytes of the whole response; it closes the connection."""
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
