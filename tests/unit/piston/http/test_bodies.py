import io
import json
from typing import Any

import pytest
from django.test import RequestFactory

from piston.http.bodies import BLOCK_BYTES, MAX_SMALL_JSON_BYTES, Body, open_body, read_json
from piston.http.errors import ApiError, FaultyRequest, LengthRequired, RequestTooLarge


def request(body: bytes, content_type: str = "application/json", **environ: Any) -> Any:
    return RequestFactory().generic("PUT", "/", body, content_type, **environ)


def chunked(body: bytes, **environ: Any) -> Any:
    """A request with `Transfer-Encoding: chunked`, as Django sees it: without a length."""
    made = request(b"", HTTP_TRANSFER_ENCODING="chunked", **environ)
    made.META["wsgi.input"] = io.BytesIO(body)
    return made


class BadChunk:
    """A server's stream: it raises for a malformed chunk, then returns b"" as at a good end."""

    has_raised = False

    def read(self, size: int, /) -> bytes:
        if self.has_raised:
            return b""
        self.has_raised = True
        raise Exception("invalid chunk size")  # noqa: TRY002


class Broken:
    def read(self, size: int, /) -> bytes:
        raise OSError("connection reset")


def test_a_body_is_read_to_its_end_and_no_further() -> None:
    body = Body(io.BytesIO(b"hello, next request"), length=5, limit_bytes=10)

    assert b"".join(body) == b"hello"
    assert body.read_bytes == 5


def test_a_body_is_given_in_blocks() -> None:
    body = Body(io.BytesIO(b"hello"), length=5, limit_bytes=10)

    assert [body.read(2), body.read(2), body.read(2), body.read(2)] == [b"he", b"ll", b"o", b""]


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    with pytest.raises(RequestTooLarge):
        Body(Broken(), length=11, limit_bytes=10)


def test_a_body_that_turns_out_too_large_is_refused() -> None:
    body = Body(io.BytesIO(b"x" * 11), length=None, limit_bytes=10)

    with pytest.raises(RequestTooLarge):
        list(body)


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert b"".join(Body(io.BytesIO(b"x" * 10), length=None, limit_bytes=10)) == b"x" * 10


def test_a_body_that_ends_early_is_never_taken_for_complete() -> None:
    body = Body(io.BytesIO(b"hel"), length=5, limit_bytes=10)

    with pytest.raises(FaultyRequest, match="faulty_request"):
        list(body)


def test_a_body_that_failed_once_is_never_complete_afterwards() -> None:
    body = Body(BadChunk(), length=None, limit_bytes=10)
    for _ in range(2):
        with pytest.raises(FaultyRequest):
            body.read()


def test_a_connection_that_breaks_is_a_faulty_request() -> None:
    with pytest.raises(FaultyRequest):
        list(Body(Broken(), length=None, limit_bytes=10))


def test_a_chunked_body_is_read_when_the_server_delimits_it() -> None:
    opened = open_body(chunked(b"hello", **{"wsgi.input_terminated": True}), limit_bytes=10)

    assert b"".join(opened) == b"hello"


def test_a_chunked_body_is_refused_when_the_server_does_not() -> None:
    with pytest.raises(LengthRequired):
        open_body(chunked(b"hello"), limit_bytes=10)


@pytest.mark.parametrize("length", ["x", "-1", "1.5", "²"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(FaultyRequest):
        open_body(request(b"", CONTENT_LENGTH=length), limit_bytes=10)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "", "application/x-www-form-urlencoded", "text/plain; charset=latin-1"],
)
def test_json_is_read_whatever_type_it_claims_to_be(content_type: str) -> None:
    assert read_json(request(b'{"data": "\xc3\xa9"}', content_type)) == {"data": "é"}


@pytest.mark.parametrize("body", [b"", b"  \r\n"])
def test_an_empty_body_is_an_empty_object(body: bytes) -> None:
    assert read_json(request(body)) == {}


def test_a_byte_order_mark_is_taken_off() -> None:
    assert read_json(request(b'\xef\xbb\xbf{"a": 1}')) == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"{'a': 1}", b'{"a": 1} x', b"[]", b'"text"', b"null", b"1", b"\xff\xfe{}",
        b'{"a": "\xff"}', b'{"a": NaN}', b'{"a": Infinity}', b'{"a":' * 3_000, b"[" * 10_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(ApiError) as raised:
        read_json(request(body))

    assert (raised.value.status, raised.value.message) == (400, "invalid_json")
    assert raised.value.data["reason"]
    json.dumps(raised.value.data)


def test_json_of_more_than_16_kib_is_refused_unread() -> None:
    asked = request(b"")
    asked.META |= {"CONTENT_LENGTH": str(MAX_SMALL_JSON_BYTES + 1), "wsgi.input": Broken()}

    with pytest.raises(RequestTooLarge):
        read_json(asked)


def test_chunked_json_is_refused_where_it_passes_16_kib() -> None:
    asked = chunked(b"[" * 10 * MAX_SMALL_JSON_BYTES, **{"wsgi.input_terminated": True})

    with pytest.raises(RequestTooLarge):
        read_json(asked)

    assert asked.META["wsgi.input"].tell() <= MAX_SMALL_JSON_BYTES + BLOCK_BYTES


def test_json_of_16_kib_is_read() -> None:
    text = b'{"data": 1}'.ljust(MAX_SMALL_JSON_BYTES)

    assert read_json(request(text)) == {"data": 1}
