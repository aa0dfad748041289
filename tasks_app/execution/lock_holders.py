"""Who keeps a task from going on? Whoever has locked its row, or those of its segments (ADR 25)."""

from __future__ import annotations

import logging

from piston.database import locks
from tasks_app.models import Segment, Task

logger = logging.getLogger(__name__)


def find_holder(task_id: str) -> str:
    """Return what is locked of a task and by whom, as in "its row is locked by X"; "" if nothing.

    A worker that commits a batch holds locks as well, for a moment.
    """
    if holder := locks.find_holder(Task, task_id):
        return f"its row is locked by {holder}"
    left = Segment.objects.unfinished().filter(task=task_id).values_list("pk", flat=True)
    if holder := locks.find_holder(Segment, *left):
        return f"its segments are locked by {holder}"
    return ""


def warn(task_id: str) -> None:
    """Say in the log that a task stands still, if it is known who has locked it."""
    if holder := find_holder(task_id):
        logger.warning("Task %s stands still: %s", task_id, holder)
