"""The middleware of all responses: request ids, HEAD, slots for downloads, hosts, the envelope."""

from __future__ import annotations

import logging
import re
import secrets
import sys
from collections.abc import Callable
from typing import Any

from django.core.exceptions import DisallowedHost
from django.core.signals import got_request_exception
from django.db import Error
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from piston.environment import in_brackets
from piston.http.envelope import encode_json
from piston.http.errors import (
    ApiError,
    FaultyRequest,
    InternalError,
    find_answer,
    log_fault,
    respond,
)
from piston.http.transfers import NoFreeSlot, take_slot_for_stream

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase]

ENVELOPED_PATHS = re.compile(r"/v[12](/|$)")  # /v1 is gone, and answers so in the envelope
MAX_HOST_LENGTH = 100  # characters of a refused Host in the log
VALID_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")  # visible ASCII
MESSAGES = {
    400: "faulty_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    412: "precondition_failed",
}


class RequestIdMiddleware:
    """Gives every request and its response an id: the client's if it sent a valid one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Set `request.request_id` and the X-Request-Id header."""
        sent = request.headers.get("X-Request-Id", "")
        request_id = sent if VALID_REQUEST_ID.fullmatch(sent) else secrets.token_hex(16)
        request.request_id = request_id  # type: ignore[attr-defined]
        response = self.get_response(request)
        response.headers["X-Request-Id"] = request_id
        return response


class HeadMiddleware:
    """Answers HEAD like GET, without sending or even reading the content (RFC 9110 §9.3.2)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Drop the content, and keep the headers that describe it."""
        response = self.get_response(request)
        if request.method == "HEAD":
            if isinstance(response, HttpResponse):
                response.headers.setdefault("Content-Length", str(len(response.content)))
                response.content = b""
            elif isinstance(response, StreamingHttpResponse):
                response.streaming_content = ()
        return response


class StreamMiddleware:
    """Begins a download only with a slot, because its thread will wait for the client."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer 429 or 503 if no slot is free, or 503 if the client's tree cannot be looked up."""
        response = self.get_response(request)
        try:
            take_slot_for_stream(request.META, response)
        except (NoFreeSlot, Error) as error:
            response.close()
            answer = find_answer(error)
            log_fault(error, answer, request)
            return put_into_envelope(request, HttpResponse(), answer)
        return response


class HostMiddleware:
    """Refuses a Host that is not in ALLOWED_HOSTS; the answer names that variable.

    Django would answer with a bare 400. Only the operator sees the Host itself, in the log.
    """

    reason = (
        "this installation does not answer to the Host of this request; its operator names the"
        " hosts in the variable ALLOWED_HOSTS"
    )

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.has_been_logged = False

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer 400 before other middleware asks for the host, and log that once."""
        if "HTTP_HOST" not in request.META:  # HTTP/1.0: the name is our own address
            request.META["SERVER_NAME"] = in_brackets(request.META["SERVER_NAME"])
        try:
            request.get_host()
        except DisallowedHost:
            self.log_once(request.META.get("HTTP_HOST", ""))
            return self.refuse(request)
        return self.get_response(request)

    def refuse(self, request: HttpRequest) -> HttpResponse:
        """Return the 400, which Django does not log again."""
        if is_enveloped(request):
            answer = put_into_envelope(request, HttpResponse(), FaultyRequest(self.reason))
        else:
            text = f"400: {self.reason}.\n"
            answer = HttpResponse(text, status=400, content_type="text/plain")
            answer.headers["Content-Length"] = str(len(text))
        answer._has_been_logged = True  # type: ignore[attr-defined]
        return answer

    def log_once(self, host: str) -> None:
        """Tell the operator once: any client can send many such requests."""
        if not self.has_been_logged:
            self.has_been_logged = True
            logger.warning(
                "A request was refused, since ALLOWED_HOSTS does not have its Host: %r. Further"
                " ones are not logged.",
                host[:MAX_HOST_LENGTH],
            )


class EnvelopeMiddleware:
    """Puts every error below /v2/ into the envelope: no HTML page and no trace.

    Views answer in the envelope themselves. This covers routes that do not exist, errors of other
    middleware, and answers that cannot be encoded.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        got_request_exception.connect(remember_exception, dispatch_uid=__name__)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Put an error that is not in the envelope into it, and keep its headers."""
        response = self.get_response(request)
        is_foreign = response.headers.get("Content-Type") != "application/json"
        error = getattr(request, "uncaught_exception", None)
        if response.status_code == 500 and error and not is_enveloped(request):
            return say_unavailable(error) or response
        if response.status_code < 400 or not is_foreign or not is_enveloped(request):
            return response
        answer = find_answer(error) if error else answer_status(response.status_code)
        return put_into_envelope(request, response, answer)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer an error that a view raised, or that its answer raised while it was encoded."""
        if not is_enveloped(request):
            return None
        answer = find_answer(error)
        log_fault(error, answer, request)
        return put_into_envelope(request, HttpResponse(), answer)


def is_enveloped(request: HttpRequest) -> bool:
    """Tell whether this request is for the API, not for the admin or its static files."""
    return ENVELOPED_PATHS.match(request.path_info) is not None


def remember_exception(sender: Any, request: HttpRequest, **_: Any) -> None:
    """Keep the exception that Django is about to turn into an HTML page."""
    request.uncaught_exception = sys.exception()  # type: ignore[attr-defined]


def answer_status(status: int) -> ApiError:
    """Return the answer when only the status is known."""
    if status in MESSAGES:
        return ApiError(status, MESSAGES[status])
    return InternalError() if status >= 500 else ApiError(status, "faulty_request")


def say_unavailable(error: Exception) -> HttpResponse | None:
    """Return a page for people if something is away or full, None for other errors."""
    answer = find_answer(error)
    if answer.status not in {503, 507}:
        return None
    reason = answer.data.get("reason", "the server cannot do this right now; please try again soon")
    page = render_to_string("unavailable.html", {"reason": reason})
    return HttpResponse(page, status=answer.status, headers=dict(answer.headers))


def put_into_envelope(
    request: HttpRequest, page: HttpResponseBase, answer: ApiError
) -> HttpResponse:
    """Return `answer` as a response, with those headers of `page` that do not describe its body."""
    body = encode_json(respond(answer).envelope(request))
    response = HttpResponse(body, status=answer.status, content_type="application/json")
    for name, value in {**page.headers, **answer.headers}.items():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    response.headers["Content-Length"] = str(len(body))
    return response
