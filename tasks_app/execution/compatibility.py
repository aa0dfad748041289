"""Checks that this process can run a task; if not, leaves it to a worker that can (ADR 18)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep

from django.db.models.functions import Now

from categories import registry
from categories.contract import Action, fits
from categories.errors import BrokenCategory, CategoryError
from piston.database import locks
from piston.database.locks import WaitBriefly
from tasks_app.models import Task
from tasks_app.queue import dispatch

logger = logging.getLogger(__name__)

MAX_HANDOVERS = 3  # of one task's messages, in a row, per process
FORGET_SECONDS = 5.0  # after this, hand over one more: the sweeper sent it
HANDOVER_PAUSE_SECONDS = 0.1  # lets an idle process of the same pool take the message
MAX_REMEMBERED_TASKS = 10_000


@dataclass
class Handovers:
    """How often this process has handed a task over since a worker claimed it, and when."""

    served_at: datetime | None
    count: int = 0
    at: float = 0.0  # on this process's monotonic clock


_handovers: dict[str, Handovers] = {}  # local to this process: it saves work and decides nothing


def find_problem(task: Task) -> CategoryError | None:
    """Return why this process cannot run the task; None when it can."""
    try:
        get_action(task)
    except CategoryError as error:
        return error
    return None


def get_action(task: Task) -> type[Action]:
    """Return the task's action in a version that fits; raise CategoryError if it is not here."""
    category, action = registry.get_action(
        task.category, task.action, version=task.category_version
    )
    if not fits(category, task.category_version):
        raise VersionDiffers(task, category.version)
    if differs := registry.find_schema_problem(category):
        raise CategorySchemaDiffers(task.category, differs)
    return action


def describe_problem(problem: CategoryError) -> str:
    """Return the problem in words for a task's owner, who must not see where the code lies."""
    if isinstance(problem, BrokenCategory | CategorySchemaDiffers):
        return f"the category {problem.name!r} cannot be used"
    return str(problem)


class VersionDiffers(CategoryError):
    """The task was created under another version of its category."""

    code = "version_differs"

    def __init__(self, task: Task, version: str) -> None:
        super().__init__(
            f"the task was created under version {task.category_version} of {task.category}, "
            f"installed is version {version}"
        )


class CategorySchemaDiffers(CategoryError):
    """The database has the category's tables of another release."""

    code = "schema_differs"

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(f"of the category {name!r}: {problem}")


def leave_if_incompatible(task_id: str) -> None:
    """Leave a running task to other workers if this process cannot run it, and log that.

    The process hands the message over MAX_HANDOVERS times, because a process that can run the task
    may be idle, even in this pool. Later messages come from the sweeper, and each is handed over
    once. So workers do not pass a message around for ever when none of them can use it.
    """
    task = Task.objects.running().filter(pk=task_id).first()
    if task is None or (problem := find_problem(task)) is None:
        return
    unnoted = Task.objects.running().filter(WaitBriefly(), pk=task_id, unfit_since=None)
    locks.unless_locked(Task, task_id, lambda: unnoted.update(unfit_since=Now()))
    handovers = _handovers.get(task_id)
    if handovers is None:
        logger.warning("Task %s is left to another worker: %s", task_id, problem)
        if len(_handovers) >= MAX_REMEMBERED_TASKS:
            _handovers.clear()
    if handovers is None or handovers.served_at != task.served_at:
        handovers = _handovers[task_id] = Handovers(task.served_at)
    elif monotonic() - handovers.at > FORGET_SECONDS:
        handovers.count = min(handovers.count, MAX_HANDOVERS - 1)
    handovers.count += 1
    handovers.at = monotonic()
    if handovers.count <= MAX_HANDOVERS:
        dispatch.wake(task_id)
        sleep(HANDOVER_PAUSE_SECONDS)
