import json

import pytest

from piston.web import refusals


@pytest.mark.parametrize(
    ("why", "status", "message"),
    [
        ("overloaded", "503 Service Unavailable", "service_unavailable"),
        ("head_too_slow", "408 Request Timeout", "request_timeout"),
        ("head_too_long", "431 Request Header Fields Too Large", "request_head_too_large"),
    ],
)
def test_a_refusal_without_a_thread_is_in_the_envelope(why: str, status: str, message: str) -> None:
    head, _, body = refusals.encode(getattr(refusals, why)()).partition(b"\r\n\r\n")

    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ") for line in lines)
    envelope = json.loads(body)
    assert first == f"HTTP/1.1 {status}"
    assert (headers["Connection"], headers["Content-Length"]) == ("close", str(len(body)))
    assert (envelope["status"], envelope["error"], envelope["message"]) == (
        "error", status[:3], message,
    )  # fmt: skip
    assert envelope["request_id"] == headers["X-Request-Id"]
    assert ("Retry-After" in headers) == (why == "overloaded")
