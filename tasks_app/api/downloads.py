"""How is a file of a task sent? Whole, a range of it, or not again (RFC 9110 §13, §14)."""

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

    Raises CSVNotFound, RangeNotSatisfiable, StorageUnavailable, FaultyRequest, NoFreeSlot, all of
    them before anything was sent or written down.
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
    """Answer with the file as it is: whole, or the part that was asked for."""
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
    """Answer with the file made safe for spreadsheets; its size is not known beforehand."""
    etag = f'"{file.validator}-safe"'
    if unchanged := find_unchanged(request, etag):
        return unchanged
    blocks = task_files.read_through(task, file, 0, file.size)
    return stream(escape_for_spreadsheets(blocks), etag)


def find_unchanged(request: Request, etag: str) -> HttpResponseBase | None:
    """Return 304 for a client that has the file, 412 for one that wants another; else None."""
    response = get_conditional_response(request._request, etag)
    if response is not None:
        response.headers["ETag"] = etag
    return response


def stream(blocks: Iterator[bytes], etag: str) -> StreamingHttpResponse:
    """Return a response that sends `blocks` one by one."""
    return StreamingHttpResponse(blocks, content_type="text/csv", headers={"ETag": etag})


def wants_escaping(request: Request) -> bool:
    """Tell whether the client wants cells that no spreadsheet takes for formulas."""
    wanted = request.query_params.get("spreadsheet")
    if wanted not in {None, "", "safe"}:
        raise FaultyRequest('spreadsheet can only be "safe"')
    return wanted == "safe"


def is_a_download(request: Request, response: HttpResponseBase, size: int) -> bool:
    """Tell whether this answer sends the file, or more than half of its `size` bytes.

    Smaller ranges leave no event: a client could ask for one byte without end.
    """
    if request.method != "GET" or response.status_code not in {200, 206}:
        return False
    return response.status_code == 200 or 2 * int(response.headers["Content-Length"]) > size


def choose_part(request: Request, etag: str, size: int) -> tuple[int, int] | None:
    """Return the first byte of the range asked for and the one behind its last; None for all.

    A Range that names several parts, or cannot be read, is disregarded, as RFC 9110 §14.2 allows.
    Raises RangeNotSatisfiable for one that begins behind the end.
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
    """Return the part that is the end of the file; all of a file that is shorter."""
    if not count or not size:
        raise RangeNotSatisfiable(size)
    return max(size - count, 0), size
