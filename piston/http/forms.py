"""How large may a form be? Small: it is read before anybody has signed in.

The check against CSRF reads a whole form. Django would let it have gigabytes, and would keep its
files on the disk of the server. Only the admin has forms, and none of them uploads a file.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from piston.http.middleware import is_enveloped

MAX_FORM_BYTES = 64 * 1024  # that of the admin with all rows of a page chosen is below 20 KiB


class FormMiddleware:
    """Refuse large bodies outside of /v2/ before anything reads them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer 413 by the length that is declared; a body without one is not read by Django."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if is_enveloped(request) or (length.isdecimal() and int(length) <= MAX_FORM_BYTES):
            return self.get_response(request)
        text = f"413: a form may have {MAX_FORM_BYTES} bytes.\n"
        return HttpResponse(text, status=413, content_type="text/plain")
