"""Logs rows that fail unexpectedly: for each task a few traces, then only some lines.

A task may have millions of such rows. With a trace for each, one tenant's file could fill the
disk.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter

logger = logging.getLogger(__name__)

MAX_TRACES = 10  # of a task, by each process
MAX_LINES = 1_000  # without a trace
MAX_ERROR = 300  # characters
MAX_TRACE = 20_000  # the last characters of a trace
MAX_TASKS = 10_000  # that a process remembers

_counts: Counter[str] = Counter()  # rows by task, in this process; only limits the log


def log_row(what: str, task_id: str, row: int, error: BaseException) -> None:
    """Log a row's failure: a trace for the first rows, then a line, then only powers of ten."""
    if len(_counts) >= MAX_TASKS and task_id not in _counts:
        _counts.clear()
    _counts[task_id] += 1
    count = _counts[task_id]
    if count <= MAX_TRACES:
        logger.warning("%s: row %s of task %s\n%s", what, row, task_id, format_trace(error))
    elif count <= MAX_LINES or count == 10 ** (len(str(count)) - 1):
        said = repr(error)[:MAX_ERROR]
        logger.warning("%s: row %s of task %s, number %s: %s", what, row, task_id, count, said)


def format_trace(error: BaseException) -> str:
    """Return the trace of an error; escape characters that a log cannot encode."""
    trace = "".join(traceback.format_exception(error)).rstrip()[-MAX_TRACE:]
    return trace.encode("utf-8", "backslashreplace").decode()
