"""Finds who holds a lock on a task's row, or on those of its segments (ADR 25)."""

from __future__ import annotations

import logging

from piston.database import locks
from tasks_app.models import Segment, Task

logger = logging.getLogger(__name__)


def find_holder(task_id: str) -> str:
    """Return the lock and its holder, as in "its row is locked by X"; "" if there is none.

    A worker that commits a batch also holds locks for a moment.
    """
    if holder := locks.find_holder(Task, task_id):
        return f"its row is locked by {holder}"
    left = Segment.objects.unfinished().filter(task=task_id).values_list("pk", flat=True)
    if holder := locks.find_holder(Segment, *left):
        return f"its segments are locked by {holder}"
    return ""


def warn(task_id: str) -> None:
    """Log that a task stands still, if the holder of its lock is known."""
    if holder := find_holder(task_id):
        logger.warning("Task %s stands still: %s", task_id, holder)
