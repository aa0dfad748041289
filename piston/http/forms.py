"""Limits the size of forms, which are read before a user has signed in.

The check against CSRF reads a whole form. Django would accept gigabytes, and would write the
form's files to the server's disk. Only the admin has forms, and none of them uploads a file.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from piston.http.middleware import is_enveloped

MAX_FORM_BYTES = 64 * 1024  # an admin list with all rows of its page chosen is below 20 KiB


class FormMiddleware:
    """Refuses large bodies outside of /v2/ before they are read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer 413 by the declared length; Django does not read a body without one."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if is_enveloped(request) or (length.isdecimal() and int(length) <= MAX_FORM_BYTES):
            return self.get_response(request)
        text = f"413: a form may have {MAX_FORM_BYTES} bytes.\n"
        return HttpResponse(text, status=413, content_type="text/plain")
