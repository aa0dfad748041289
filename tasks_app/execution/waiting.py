"""Lets a task wait while its action needs a table, column or right that the database lacks.

Staff may yet migrate or grant the right, so the rows are retried now and then. If the missing thing
never comes, the sweeper ends the task after a day.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from time import monotonic

from django.db import Error
from django.db.models.functions import Coalesce, Greatest, Now

from categories.errors import ActionWaits
from categories.running.failures import storable
from tasks_app.execution.releasing import release_after_trouble
from tasks_app.models import Segment, Task
from tasks_app.models.clock import database_time, read_database_clock

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 10.0  # before the rows are retried
# If a retry may lose a row, the pause is as long as the task has waited already, up to this.
MAX_MISSING_PAUSE_SECONDS = 3_600.0
LOG_SECONDS = 60.0  # between two log lines of a process about the same task
MAX_REMEMBERED_TASKS = 10_000

_logged_at: dict[str, float] = {}  # local to this process: it only saves log lines


def wait(segment: Segment, error: ActionWaits) -> None:
    """Release a segment, delay its retry, and store the reason that its task waits."""
    log_waiting(segment.task_id, error)
    waiting = Task.objects.running().filter(pk=segment.task_id)
    mine = Segment.objects.fence(segment)
    with suppress(Error):
        waiting.update(
            waiting_since=Coalesce("waiting_since", Now()), waiting_for=storable(str(error))
        )
        after = database_time(find_pause(segment.task_id) if error.row_is_lost else PAUSE_SECONDS)
        mine.update(retry_at=Greatest(Coalesce("retry_at", after), after))
    release_after_trouble(segment)


def find_pause(task_id: str) -> float:
    """Return how many seconds a task pauses after it has just lost a row."""
    waiting = Task.objects.running().exclude(waiting_since=None).filter(pk=task_id)
    since = waiting.values_list("waiting_since", flat=True).first()
    age = (read_database_clock() - since).total_seconds() if since else 0
    return min(max(age, PAUSE_SECONDS), MAX_MISSING_PAUSE_SECONDS)


def log_waiting(task_id: str, error: ActionWaits) -> None:
    """Log that the task waits, at most every LOG_SECONDS."""
    if monotonic() - _logged_at.get(task_id, float("-inf")) < LOG_SECONDS:
        return
    if len(_logged_at) >= MAX_REMEMBERED_TASKS:
        _logged_at.clear()
    _logged_at[task_id] = monotonic()
    logger.error(
        "Task %s waits, no row is to blame: its action needs what the database lacks (%s)."
        " Migrate, grant the right, or repair the table; it then goes on by itself",
        task_id,
        error,
    )
