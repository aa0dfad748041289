"""Streams a task's file to staff, and records the download as an event."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from tasks_app import events
from tasks_app.csv_files.escaping import escape_for_spreadsheets
from tasks_app.events import Actor
from tasks_app.files import task_files
from tasks_app.models import EventKind, Task


def download(
    task: Task, name: str, actor: Actor, *, for_spreadsheet: bool
) -> StreamingHttpResponse:
    """Answer with a file of the task; `for_spreadsheet` escapes formulas.

    Raises CSVNotFound if the task has no such file, and StoredFileMissing or StorageUnavailable if
    its first bytes cannot be read, always before anything is sent.
    """
    file = task_files.open_file(task, name)
    blocks = task_files.read_through(task, file, 0, file.size)
    response = StreamingHttpResponse(
        escape_for_spreadsheets(blocks) if for_spreadsheet else blocks, content_type="text/csv"
    )
    if not for_spreadsheet:  # escaping changes the length
        response.headers["Content-Length"] = str(file.size)
    response.headers["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename=task_files.download_name(task, file)
    )
    events.record(task, EventKind.DOWNLOADED, actor, name=file.name.value)
    return response
