"""Reads the input from the request that creates a task, by content type (decisions §6)."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from piston.http.bodies import Body, open_body
from piston.http.errors import FaultyRequest
from piston.readable import Readable
from tasks_app import creating
from tasks_app.api.json_uploads import open_records
from tasks_app.api.renderers import CSV_TYPES
from tasks_app.creating import Order
from tasks_app.errors import UnexpectedContent
from tasks_app.files import storage
from tasks_app.models import Task
from tasks_app.storing_uploads import GunzippedStream

JSON_TYPES = ("application/json", "", "application/x-www-form-urlencoded")  # the last: curl -d
MAX_FILE_NAME_LENGTH = 1_000  # characters


def submit(request: Request, order: Order) -> Task:
    """Create the ordered task from the request's body.

    Raises UnsupportedMediaType, RequestTooLarge, LengthRequired, FaultyRequest, StorageFull,
    and the errors of `creating`.
    """
    media_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type in CSV_TYPES:
        return submit_csv(request, order)
    if media_type in JSON_TYPES:
        return submit_json(request, order)
    raise UnsupportedMediaType(media_type)


def submit_csv(request: Request, order: Order) -> Task:
    """Create the task from a CSV body; an empty body means no input if the action takes none."""
    body = open_content(
        request,
        limit_bytes=settings.PISTON_MAX_UPLOAD_BYTES,
        expanded_limit_bytes=settings.PISTON_MAX_EXPANDED_BYTES,
    )
    length = body.length if isinstance(body, Body) else None
    if order.action.takes_input:
        storage.check_room(length or 0)  # before the body is read
        return creating.submit_csv(order, body, length=length)
    if length or body.read(1):
        raise UnexpectedContent("none")
    return creating.submit_without_input(order)


def submit_json(request: Request, order: Order) -> Task:
    """Create the task from `{"data": {"records": [...], "file_name": "..."}}`, all optional."""
    limit_bytes = settings.PISTON_MAX_JSON_BYTES
    body = open_content(request, limit_bytes=limit_bytes, expanded_limit_bytes=limit_bytes)
    with open_records(request.META, body, order) as records:
        file_name = read_file_name(records.head["file_name"])
        if file_name:
            order = replace(order, file_name=file_name)
        if not records.head["has_records"]:
            return creating.submit_without_input(order)
        return creating.submit_csv(order, records)


def open_content(request: Request, *, limit_bytes: int, expanded_limit_bytes: int) -> Readable:
    """Return the body with its Content-Encoding undone.

    `limit_bytes` bounds the bytes as sent, `expanded_limit_bytes` the decompressed ones.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise UnsupportedMediaType(encoding)
    body = open_body(request, limit_bytes=limit_bytes)
    if encoding in {"", "identity"}:
        return body
    return GunzippedStream(body, expanded_limit_bytes)


def read_file_name(value: str | None) -> str | None:
    """Return a file name as it was sent, None if it is not set. Raises FaultyRequest.

    Any text is a valid name, because it never becomes a path. Only text that a database cannot
    store is refused.
    """
    if not value:
        return None
    if len(value) > MAX_FILE_NAME_LENGTH:
        raise FaultyRequest(f"file_name may have {MAX_FILE_NAME_LENGTH} characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise FaultyRequest("file_name may not hold NUL characters or halves of surrogate pairs")
    return value
