"""Records the events of a task: who did what, when, and in which request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks_app.models import EventKind, Task, TaskEvent


@dataclass(frozen=True)
class Actor:
    """Who does something, and in which request."""

    name: str  # account:ID, staff:NAME or system
    request_id: str = ""


SYSTEM = Actor("system")


def record(
    task: Task, kind: EventKind, actor: Actor, *, old_status: str = "", **detail: Any
) -> None:
    """Add an event; call it in the transaction of the change that it records."""
    TaskEvent.objects.create(
        task_id=task.pk,
        account_id=task.account_id,
        kind=kind,
        actor=actor.name,
        request_id=actor.request_id,
        old_status=old_status,
        new_status=task.status,
        detail=detail,
    )
