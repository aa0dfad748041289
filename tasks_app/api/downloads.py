"""Sends the files of a task: whole, a range, or 304 if unchanged (RFC 9110 §13, §14)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from rest_framework.request import Request

from piston.http.errors import FaultyRequest
from piston.http.transfers import take_slot_for_stream
from tasks_app import events
from tasks_app.api.http_errors import RangeNotSatisfiable
from tasks_app.csv_files.escaping import escape_for_spreadsheets
from tasks_app.errors import CSVNotFound, StoredFileMissing
from tasks_app.events import Actor
from tasks_app.files import task_files
from tasks_app.files.task_files import DownloadableFile
from tasks_app.models import EventKind, Task

SINGLE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)

logger = logging.getLogger(__name__)


def send_file(request: Request, task: Task, name: str, actor: Actor) -> HttpResponseBase:
    """Answer a GET or HEAD of one of a task's files.

    Raises CSVNotFound, RangeNotSatisfiable, StorageUnavailable, FaultyRequest and NoFreeSlot,
    always before anything is sent or recorded.
    """
    file = task_files.open_file(task, name)
    send = send_escaped if wants_escaping(request) else send_bytes
    try:
        response = send(request, task, file)
    except StoredFileMissing as error:
        logger.exception("%s of task %s is not in storage", file.name, task.pk)
        raise CSVNotFound(task.pk) from error
    if response.streaming:
        response.headers["Content-Disposition"] = content_disposition_header(
            as_attachment=True, filename=task_files.download_name(task, file)
        )
        take_slot_for_stream(request.META, response)
    if is_a_download(request, response, file.size):
        events.record(task, EventKind.DOWNLOADED, actor, name=file.name.value)
    return response


def send_bytes(request: Request, task: Task, file: DownloadableFile) -> HttpResponseBase:
    """Answer with the file as it is: whole, or the requested range."""
    etag = f'"{file.validator}"'
    if unchanged := find_unchanged(request, etag):
        return unchanged
    part = choose_part(request, etag, file.size)
    start, end = part or (0, file.size)
    response = stream(task_files.read_through(task, file, start, end), etag)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Length"] = str(end - start)
    if part:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    return response


def send_escaped(request: Request, task: Task, file: DownloadableFile) -> HttpResponseBase:
    """Answer with the file made safe for spreadsheets; its size is not known in advance."""
    etag = f'"{file.validator}-safe"'
    if unchanged := find_unchanged(request, etag):
        return unchanged
    blocks = task_files.read_through(task, file, 0, file.size)
    return stream(escape_for_spreadsheets(blocks), etag)


def find_unchanged(request: Request, etag: str) -> HttpResponseBase | None:
    """Return 304 if the client has this file, 412 if it wants another one; else None."""
    response = get_conditional_response(request._request, etag)
    if response is not None:
        response.headers["ETag"] = etag
    return response


def stream(blocks: Iterator[bytes], etag: str) -> StreamingHttpResponse:
    """Return a response that sends `blocks` one by one."""
    return StreamingHttpResponse(blocks, content_type="text/csv", headers={"ETag": etag})


def wants_escaping(request: Request) -> bool:
    """Tell whether the client wants formulas escaped for spreadsheets."""
    wanted = request.query_params.get("spreadsheet")
    if wanted not in {None, "", "safe"}:
        raise FaultyRequest('spreadsheet can only be "safe"')
    return wanted == "safe"


def is_a_download(request: Request, response: HttpResponseBase, size: int) -> bool:
    """Tell whether this answer sends the file, or more than half of its `size` bytes.

    Smaller ranges record no event: a client could request single bytes endlessly.
    """
    if request.method != "GET" or response.status_code not in {200, 206}:
        return False
    return response.status_code == 200 or 2 * int(response.headers["Content-Length"]) > size


def choose_part(request: Request, etag: str, size: int) -> tuple[int, int] | None:
    """Return the start and the exclusive end of the requested range; None for the whole file.

    A Range with several parts, or one that cannot be parsed, is ignored, as RFC 9110 §14.2 allows.
    Raises RangeNotSatisfiable for a range that begins after the end.
    """
    match = SINGLE_RANGE.fullmatch(request.headers.get("Range", "").strip().lower())
    is_current = request.headers.get("If-Range", etag) == etag
    if request.method != "GET" or match is None or not is_current:
        return None
    first, last = match.groups()
    if not first:
        return last_bytes(int(last), size) if last else None
    if last and int(last) < int(first):
        return None
    start, end = int(first), min(int(last) + 1, size) if last else size
    if start >= size:
        raise RangeNotSatisfiable(size)
    return start, end


def last_bytes(count: int, size: int) -> tuple[int, int]:
    """Return the range of the last `count` bytes, or of the whole file if it is shorter."""
    if not count or not size:
        raise RangeNotSatisfiable(size)
    return max(size - count, 0), size
