import pytest

from piston.web.request_heads import (
    MAX_HEAD_BYTES,
    SMALL_BODY_BYTES,
    Arrival,
    classify,
    is_health_check,
)

FIRST = b"PUT /v2/tasks HTTP/1.1\r\nHost: x\r\n"


def with_length(length: int, body: bytes = b"") -> bytes:
    return FIRST + b"content-LENGTH:  %d \r\n\r\n" % length + body


@pytest.mark.parametrize(
    ("received", "arrival"),
    [
        (b"", Arrival.PART_OF_HEAD),
        (FIRST, Arrival.PART_OF_HEAD),
        (FIRST + b"\r\n", Arrival.WHOLE),
        (FIRST + b"\r\nGET", Arrival.WHOLE),
        (with_length(0), Arrival.WHOLE),
        (with_length(3, b"ab"), Arrival.PART_OF_BODY),
        (with_length(3, b"abc"), Arrival.WHOLE),
        (with_length(SMALL_BODY_BYTES), Arrival.PART_OF_BODY),
        (with_length(SMALL_BODY_BYTES + 1), Arrival.HEAD),
        (FIRST + b"Transfer-Encoding: chunked\r\n\r\n", Arrival.HEAD),
        (FIRST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", Arrival.HEAD),
        (b"x" * MAX_HEAD_BYTES, Arrival.PART_OF_HEAD),
        (b"x" * (MAX_HEAD_BYTES + 1), Arrival.TOO_LONG),
        (b"x" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n", Arrival.TOO_LONG),
    ],
)
def test_what_has_arrived(received: bytes, arrival: Arrival) -> None:
    assert classify(received) is arrival


def test_a_head_is_found_wherever_its_end_was_cut() -> None:
    received = FIRST + b"\r\n"

    for searched in range(len(received)):
        assert classify(received, searched=searched) is Arrival.WHOLE


def test_a_length_in_a_body_means_nothing() -> None:
    assert classify(FIRST + b"\r\n\r\nContent-Length: 9\r\n") is Arrival.WHOLE


def test_the_question_for_health_is_urgent() -> None:
    assert is_health_check(b"GET /healthz HTTP/1.1\r\n")
    assert is_health_check(b"HEAD /readyz HTTP/1.1\r\n")
    assert not is_health_check(b"GET /healthzy HTTP/1.1\r\n")
