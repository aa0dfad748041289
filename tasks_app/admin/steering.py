"""How do staff start, stop, retry and delete tasks? One by one, with an answer for each."""

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

MAX_AT_ONCE = 200  # tasks in one request; one page of the list never has more


@dataclass(frozen=True)
class Step:
    """Something that staff do to a task."""

    name: str  # as URLs, the list's actions and lifecycle know it
    label: str  # on the button
    outcome: str  # what the task then is
    permission: str  # of Django, on tasks
    carry_out: Callable[[Task, Actor], None]


START = Step("start", "Start", "started", "change", lifecycle.start)
STOP = Step("stop", "Stop", "stopped", "change", lifecycle.stop)
RETRY = Step("retry", "Retry", "taken up again", "change", lifecycle.retry)
REMOVE = Step("remove", "Delete", "deleted", "delete", lifecycle.remove)
STEPS = {step.name: step for step in (START, STOP, RETRY, REMOVE)}


@dataclass
class Report:
    """What became of each task."""

    done: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # by reason


def actor_of(request: HttpRequest) -> Actor:
    """Return who is asking, as events name them."""
    request_id = cast("str", request.request_id)  # type: ignore[attr-defined]
    return Actor(f"staff:{request.user.get_username()}", request_id)


def is_possible(step: Step, task: Task) -> bool:
    """Would the step be taken in the task's status? Only lifecycle decides, when it is taken."""
    author = f"lifecycle.{step.name}"
    return any(move.made_by == author and move.start == task.status for move in MOVES)


def carry_out(step: Step, task_ids: Sequence[str], actor: Actor) -> Report:
    """Do the step to one task after the other; a refused one does not keep the others back."""
    report = Report()
    for place, task_id in enumerate(task_ids):
        try:
            task = Task.objects.visible().filter(pk=task_id).first()
            if task is None:
                raise TaskNotFound(task_id)
            step.carry_out(task, actor)
        except StorageUnavailable as error:  # it would be waited for with each of the others
            report.refused[str(error)] += task_ids[place:]
            break
        except PistonError as error:
            report.refused[str(error)].append(task_id)
        except DatabaseError:
            logger.exception("%s of task %s failed", step.label, task_id)
            report.refused["the database refused; the log says why"].append(task_id)
        else:
            report.done.append(task_id)
    return report


def tell(request: HttpRequest, step: Step, report: Report) -> None:
    """Say which tasks the step was done to, and of each other one why not."""
    if report.done:
        messages.success(request, f"{step.outcome.capitalize()}: {', '.join(report.done)}.")
    for reason, task_ids in report.refused.items():
        why = reason.removesuffix(".")
        messages.error(request, f"Not {step.outcome} ({why}): {', '.join(task_ids)}.")
