"""Is a request ready for a thread? When its head is here, and with it a body that is small."""

from __future__ import annotations

import re
from enum import Enum

MAX_HEAD_BYTES = 16 * 1024
SMALL_BODY_BYTES = 16 * 1024  # waits in memory; what is larger is read by a thread, as an upload

# Good enough to wait for a body or not. gunicorn reads the same bytes with all due strictness.
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r", re.IGNORECASE)
_STREAMED = re.compile(rb"\r\n(?:transfer-encoding|expect)[ \t]*:", re.IGNORECASE)


class Arrival(Enum):
    """What has arrived of a request."""

    PART_OF_HEAD = "part of the head"
    PART_OF_BODY = "the head, and a part of a small body"
    HEAD = "the head of an upload"
    WHOLE = "everything"
    TOO_LONG = "more than a head may have"


def look_at(received: bytes | bytearray, *, searched: int = 0) -> Arrival:
    """Tell how much of a request this is; its first `searched` bytes hold no end of a head."""
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


URGENT = tuple(
    f"{method} {path} ".encode() for method in ("GET", "HEAD") for path in ("/healthz", "/readyz")
)


def is_urgent(received: bytes | bytearray) -> bool:
    """Is this the question whether the service is well, or can work?"""
    return received.startswith(URGENT)
