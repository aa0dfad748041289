"""What does a client get that no thread will serve? The same envelope, in the same words."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from django.http import HttpRequest

from piston.http.envelope import encode_json
from piston.http.errors import ApiError, Overloaded, RequestTimeout, respond


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
