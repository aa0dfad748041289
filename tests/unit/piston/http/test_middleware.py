import re

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from piston.http.middleware import EnvelopeMiddleware, HeadMiddleware, RequestIdMiddleware


def pass_through(sent: str | None) -> tuple[str, str]:
    """Return the id of the request inside the middleware, and the one of the response."""
    seen = []

    def view(request: object) -> HttpResponse:
        seen.append(request.request_id)  # type: ignore[attr-defined]
        return HttpResponse()

    request = RequestFactory().get("/")
    if sent is not None:
        request.META["HTTP_X_REQUEST_ID"] = sent
    response = RequestIdMiddleware(view)(request)  # type: ignore[arg-type]
    return seen[0], response.headers["X-Request-Id"]


@pytest.mark.parametrize("sent", ["a", "b1946ac9-2492", "~!@#$%^&*()", "x" * 128])
def test_a_sane_request_id_is_echoed(sent: str) -> None:
    assert pass_through(sent) == (sent, sent)


@pytest.mark.parametrize(
    "sent",
    [None, "", " ", "x" * 129, "two words", "tab\t", "é", "\x7f", "\0", "a\r\nSet-Cookie: b=c"],
)
def test_any_other_request_id_is_replaced(sent: str | None) -> None:
    inside, outside = pass_through(sent)

    assert inside == outside
    assert re.fullmatch("[0-9a-f]{32}", outside)


def test_head_keeps_the_length_and_drops_the_content() -> None:
    request = RequestFactory().head("/")

    response = HeadMiddleware(lambda _: HttpResponse(b"hello"))(request)

    assert response.headers["Content-Length"] == "5"
    assert response.content == b""  # type: ignore[attr-defined]


def test_head_never_reads_a_stream() -> None:
    stream = (1 / 0 for _ in "x")
    page = StreamingHttpResponse(stream, headers={"Content-Length": "5"})

    response = HeadMiddleware(lambda _: page)(RequestFactory().head("/"))

    assert list(response.streaming_content) == []  # type: ignore[attr-defined]
    assert response.headers["Content-Length"] == "5"
    assert stream.close in response._resource_closers  # type: ignore[attr-defined]


def test_get_keeps_its_content() -> None:
    page = HttpResponse(b"hello")

    assert HeadMiddleware(lambda _: page)(RequestFactory().get("/")).content == b"hello"  # type: ignore[attr-defined]


def test_a_page_below_v2_is_put_into_the_envelope_with_its_headers() -> None:
    page = HttpResponse("<html>", status=405, headers={"Allow": "GET", "Content-Length": "6"})

    response = EnvelopeMiddleware(lambda _: page)(RequestFactory().get("/v2/x"))

    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Allow"] == "GET"
    assert response.headers["Content-Length"] == str(len(response.content))  # type: ignore[attr-defined]
    assert b'"message":"method_not_allowed"' in response.content  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/admin/", "/", "/v20/x", "/static/v2/x"])
def test_a_page_elsewhere_is_left_alone(path: str) -> None:
    page = HttpResponse("<html>", status=404)

    assert EnvelopeMiddleware(lambda _: page)(RequestFactory().get(path)) is page
