"""Represents a task to clients as one flat object, the same everywhere (decisions §3)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from piston.gregorian import to_gregorian
from tasks_app.files import task_files
from tasks_app.models import Task


def represent(task: Task) -> dict[str, Any]:
    """Return the task's public keys; None means not set, and the envelope leaves that key out.

    Counts appear once the task has started. This takes one query, none if `csvs` is prefetched.
    """
    created = _seconds(task.created_at)
    return {
        "account_id": task.account_id,
        "action": task.action,
        "auth_account_id": task.auth_account_id,
        "category": task.category,
        "created": created,
        "csvs": [name.value for name in task_files.csv_names(task)],
        "end_timestamp": _seconds(task.ended_at),
        "expected_count": task.expected_count,
        "failure_count": task.failure_count if task.has_started else None,
        "file_name": task.file_name,
        "id": task.pk,
        "node": task.node or None,
        "reason": task.reason or None,
        "start_timestamp": _seconds(task.started_at),
        "status": task.status,
        "submit_timestamp": created,
        "success_count": task.success_count if task.has_started else None,
        "total_count": task.total_count,
    }


def read_only(task: Task) -> dict[str, Any]:
    """Return the body of every answer about a single task."""
    return {"_read_only": represent(task)}


def _seconds(moment: datetime | None) -> int | None:
    """Return a moment as the API writes it."""
    return None if moment is None else to_gregorian(moment)
