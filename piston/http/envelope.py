"""The envelope: what every JSON answer puts around its `data` (decisions §1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from piston.accounts.authentication import read_token
from piston.node import node_name


class Enveloped(Response):
    """An answer in the envelope: a view returns `Enveloped(data, revision=..., status=201)`.

    With `message` it is an error. Without `revision`, a success derives one from its data.
    `auth_token` is for the answer that issues a token; every other answer echoes the request's.
    """

    def __init__(
        self,
        data: Any,
        *,
        status: int = 200,
        message: str | None = None,
        revision: str | None = None,
        page_size: int | None = None,
        start_key: str | None = None,
        next_start_key: str | None = None,
        auth_token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        data = {} if data is None else without_nulls(data)
        super().__init__(data, status=status, headers=headers)
        self.message = message
        self.revision = None if message else revision or hash_revision(data)
        self.page_size = page_size
        self.start_key = start_key
        self.next_start_key = next_start_key
        self.auth_token = auth_token
        # Django would log every 4xx and 5xx; errors.log_fault has logged what operators need
        self._has_been_logged = True

    def envelope(self, request: HttpRequest | Request) -> dict[str, Any]:
        """Return the whole body, its keys in alphabetical order; keys that are None are absent."""
        is_error = self.message is not None
        keys = {
            "auth_token": self.auth_token or read_token(request),
            "data": self.data,
            "error": str(self.status_code) if is_error else None,
            "message": self.message,
            "next_start_key": self.next_start_key,
            "node": node_name(),
            "page_size": self.page_size,
            "request_id": getattr(request, "request_id", None),
            "revision": self.revision,
            "start_key": self.start_key,
            "status": "error" if is_error else "success",
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "version": settings.VERSION,
        }
        return {key: value for key, value in keys.items() if value is not None}


class EnvelopeRenderer(BaseRenderer):
    """DRF's renderer of an `Enveloped` answer."""

    media_type = "application/json"
    format = "json"
    charset = None  # the Content-Type is exactly application/json; JSON is UTF-8 (RFC 8259 §8.1)

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the envelope of the answer in the context, as bytes."""
        context = renderer_context or {}
        response = context["response"]
        if not isinstance(response, Enveloped):
            raise TypeError("A view answers with Enveloped(data), not with Response(data).")
        return encode_json(response.envelope(context["request"]))


def encode_json(document: Any) -> bytes:
    """Return compact JSON in UTF-8; a lone surrogate stays a JSON escape."""
    text = json.dumps(
        document, cls=JSONEncoder, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return text.encode("utf-8", "backslashreplace")


def hash_revision(data: Any) -> str:
    """Return a validator that changes when `data` does."""
    return hashlib.sha256(encode_json(data)).hexdigest()[:32]


def without_nulls(document: Any) -> Any:
    """Return the document without the keys that are None, at any depth."""
    if isinstance(document, Mapping):
        return {key: without_nulls(value) for key, value in document.items() if value is not None}
    if isinstance(document, list | tuple):
        return [without_nulls(value) for value in document]
    return document
