"""Starts, stops, retries and deletes tasks for staff, one by one, and reports each result."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from django.contrib import messages
from django.db import DatabaseError
from django.http import HttpRequest

from tasks_app import lifecycle
from tasks_app.errors import PistonError, StorageUnavailable, TaskNotFound
from tasks_app.events import Actor
from tasks_app.models import Task
from tasks_app.states import MOVES

logger = logging.getLogger(__name__)

MAX_AT_ONCE = 200  # tasks in one request, as many as a page of the list can have


@dataclass(frozen=True)
class Operation:
    """An operation of staff on a task."""

    name: str  # in URLs, the list's actions and lifecycle
    label: str  # on the button
    outcome: str  # for messages: "Started"
    permission: str  # Django's permission on tasks
    carry_out: Callable[[Task, Actor], None]


START = Operation("start", "Start", "started", "change", lifecycle.start)
STOP = Operation("stop", "Stop", "stopped", "change", lifecycle.stop)
RETRY = Operation("retry", "Retry", "taken up again", "change", lifecycle.retry)
REMOVE = Operation("remove", "Delete", "deleted", "delete", lifecycle.remove)
OPERATIONS = {operation.name: operation for operation in (START, STOP, RETRY, REMOVE)}


@dataclass
class Report:
    """The result for each task."""

    done: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # by reason


def actor_of(request: HttpRequest) -> Actor:
    """Return the user as the actor of events."""
    request_id = cast("str", request.request_id)  # type: ignore[attr-defined]
    return Actor(f"staff:{request.user.get_username()}", request_id)


def is_possible(operation: Operation, task: Task) -> bool:
    """Say whether the task's status permits the operation, to show its button.

    Lifecycle decides again when the operation is carried out.
    """
    function = f"lifecycle.{operation.name}"
    return any(move.made_by == function and move.start == task.status for move in MOVES)


def carry_out(operation: Operation, task_ids: Sequence[str], actor: Actor) -> Report:
    """Carry out the operation on one task after the other; continue after a refusal."""
    report = Report()
    for place, task_id in enumerate(task_ids):
        try:
            task = Task.objects.visible().filter(pk=task_id).first()
            if task is None:
                raise TaskNotFound(task_id)
            operation.carry_out(task, actor)
        except StorageUnavailable as error:  # each further task would wait for it too
            report.refused[str(error)] += task_ids[place:]
            break
        except PistonError as error:
            report.refused[str(error)].append(task_id)
        except DatabaseError:
            logger.exception("%s of task %s failed", operation.label, task_id)
            report.refused["the database refused; the log says why"].append(task_id)
        else:
            report.done.append(task_id)
    return report


def tell(request: HttpRequest, operation: Operation, report: Report) -> None:
    """Report the tasks that were changed, and for each other one why it was not."""
    if report.done:
        messages.success(request, f"{operation.outcome.capitalize()}: {', '.join(report.done)}.")
    for reason, task_ids in report.refused.items():
        why = reason.removesuffix(".")
        messages.error(request, f"Not {operation.outcome} ({why}): {', '.join(task_ids)}.")
