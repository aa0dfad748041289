"""How does a test speak HTTP as badly as it likes, and read whatever comes back?"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Any

ANSWER_SECONDS = 10  # in which a server has to answer or to close, whatever it was sent
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n")


@dataclass(frozen=True)
class Answer:
    """One HTTP response as it came."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes
    is_whole: bool = field(default=True)  # its body is as long as it was announced to be

    def json(self) -> Any:
        """Return the document in the body."""
        return json.loads(self.body)


class NoAnswerError(AssertionError):
    """The server neither answered in full nor closed the connection in time."""


def exchange(port: int, sent: bytes, *, pieces: int = 1) -> bytes:
    """Send bytes, say that this was all, and return everything until the server closes."""
    deadline = time.monotonic() + ANSWER_SECONDS
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        size = max(1, -(-len(sent) // pieces))
        with contextlib.suppress(OSError):  # it may have heard enough, answered and closed
            for start in range(0, len(sent), size):
                connection.sendall(sent[start : start + size])
            connection.shutdown(socket.SHUT_WR)
        return read_to_the_end(connection, deadline)


def read_to_the_end(connection: socket.socket, deadline: float) -> bytes:
    """Return what the server sends until it closes; raises NoAnswerError after the deadline."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while True:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                block = connection.recv(2**16)
            except TimeoutError:
                raise NoAnswerError(f"open after {ANSWER_SECONDS} s: {received[:500]!r}") from None
            if not block:
                break
            received += block
    return received


def split_answers(received: bytes, methods: list[str]) -> list[Answer]:
    """Cut what a server sent into its answers; `methods` are those of the requests."""
    answers: list[Answer] = []
    while received:
        match = STATUS_LINE.match(received)
        assert match, f"not HTTP: {received[:200]!r}"
        head, separator, rest = received.partition(b"\r\n\r\n")
        assert separator, f"no end of the headers: {received[:500]!r}"
        status = int(match[1])
        headers = read_headers(head)
        if status < 200:
            received = rest
            continue
        method = methods[min(len(answers), len(methods) - 1)]
        body, received, is_whole = take_body(method, status, headers, rest)
        answers.append(Answer(status, headers, body, is_whole))
    return answers


def read_headers(head: bytes) -> dict[str, str]:
    """Return the headers; one that comes twice, or has no colon, is a fault of the server."""
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.decode("latin-1").partition(":")
        assert colon, f"not a header: {line!r}"
        assert "\n" not in value, f"not one header: {line!r}"
        assert "\r" not in value, f"not one header: {line!r}"
        assert name.lower() not in headers, f"twice: {line!r}"
        headers[name.lower()] = value.strip()
    return headers


def take_body(
    method: str, status: int, headers: dict[str, str], rest: bytes
) -> tuple[bytes, bytes, bool]:
    """Return a body, what follows it, and whether it was all there."""
    has_none = method == "HEAD" and (not rest or STATUS_LINE.match(rest))
    if has_none or status in {204, 304}:  # a HEAD that was not even understood has one
        return b"", rest, True
    if headers.get("transfer-encoding") == "chunked":
        return take_chunks(rest)
    if "content-length" in headers:
        length = int(headers["content-length"])
        return rest[:length], rest[length:], len(rest) >= length
    return rest, b"", True


def take_chunks(rest: bytes) -> tuple[bytes, bytes, bool]:
    """Return a chunked body, what follows it, and whether it was all there."""
    body = b""
    while True:
        line, separator, rest = rest.partition(b"\r\n")
        if not separator:
            return body, b"", False
        size = int(line, 16)
        body, rest = body + rest[:size], rest[size + 2 :]
        if size == 0:
            return body, rest, True
