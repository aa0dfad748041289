"""How does a task look to a client? One flat object, the same everywhere (decisions §3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tasks_app.files import task_files
from tasks_app.models import Task
from tasks_app.models.task import UNIX_EPOCH, UNIX_EPOCH_IN_GREGORIAN_SECONDS


def represent(task: Task) -> dict[str, Any]:
    """Return the task's public keys; None stands for what is not set, and leaves the envelope.

    The counts are there as soon as the task has started. Costs no query when `csvs` is
    prefetched, else one.
    """
    created = to_gregorian(task.created_at)
    return {
        "account_id": task.account_id,
        "action": task.action,
        "auth_account_id": task.auth_account_id,
        "category": task.category,
        "created": created,
        "csvs": [name.value for name in task_files.csv_names(task)],
        "end_timestamp": to_gregorian(task.ended_at),
        "failure_count": task.failure_count if task.has_started else None,
        "file_name": task.file_name,
        "id": task.pk,
        "node": task.node or None,
        "reason": task.reason or None,
        "start_timestamp": to_gregorian(task.started_at),
        "status": task.status,
        "submit_timestamp": created,
        "success_count": task.success_count if task.has_started else None,
        "total_count": task.total_count,
    }


def read_only(task: Task) -> dict[str, Any]:
    """Return the shape in which every answer about a single task shows it."""
    return {"_read_only": represent(task)}


def to_gregorian(moment: datetime | None) -> int | None:
    """Return whole seconds since the year 0 (decisions §2)."""
    if moment is None:
        return None
    return (moment - UNIX_EPOCH) // timedelta(seconds=1) + UNIX_EPOCH_IN_GREGORIAN_SECONDS
