"""Tells when a request is ready for a thread: when its head, and with it a small body, is here."""

from __future__ import annotations

import re
from enum import Enum

MAX_HEAD_BYTES = 16 * 1024
SMALL_BODY_BYTES = 16 * 1024  # waits in memory; a thread reads a larger one, as an upload
HEALTH_CHECKS = tuple(
    f"{method} {path} ".encode() for method in ("GET", "HEAD") for path in ("/healthz", "/readyz")
)

# These decide only whether to wait for a body. gunicorn parses the same bytes strictly.
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r", re.IGNORECASE)
_STREAMED = re.compile(rb"\r\n(?:transfer-encoding|expect)[ \t]*:", re.IGNORECASE)


class Arrival(Enum):
    """How much of a request has arrived."""

    PART_OF_HEAD = "part of the head"
    PART_OF_BODY = "the head, and a part of a small body"
    HEAD = "the head of an upload"
    WHOLE = "everything"
    TOO_LONG = "more than a head may have"


def classify(received: bytes | bytearray, *, searched: int = 0) -> Arrival:
    """Tell how much of a request has arrived.

    The caller already knows that the first `searched` bytes do not hold the end of the head.
    """
    end = received.find(_END, max(0, searched - len(_END)))
    if end < 0 or end > MAX_HEAD_BYTES:
        is_too_long = max(end, len(received)) > MAX_HEAD_BYTES
        return Arrival.TOO_LONG if is_too_long else Arrival.PART_OF_HEAD
    head = bytes(received[: end + 2])
    if _STREAMED.search(head):
        return Arrival.HEAD
    found = _LENGTH.search(head)
    length = int(found[1]) if found else 0
    if len(received) - end - len(_END) >= length:
        return Arrival.WHOLE
    return Arrival.PART_OF_BODY if length <= SMALL_BODY_BYTES else Arrival.HEAD


def is_health_check(received: bytes | bytearray) -> bool:
    """Is this a request for `/healthz` or `/readyz`?"""
    return received.startswith(HEALTH_CHECKS)
