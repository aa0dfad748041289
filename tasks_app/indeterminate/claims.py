"""Who may write a task's output files again? One worker at a time, under a numbered claim.

It is the assembler's claim, on tasks whose output is assembled already: so there is never more
than one writer of a task's files, and a writer that was paused too long writes nothing.
"""

from __future__ import annotations

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from piston.database.locks import WaitBriefly
from tasks_app.errors import ClaimLost
from tasks_app.models import Task
from tasks_app.models.clock import database_time
from tasks_app.states import FINAL


def assembled() -> QuerySet[Task]:
    """Return the tasks that have ended and whose output files are in storage."""
    return Task.objects.filter(status__in=FINAL, is_assembled=True)


def free() -> QuerySet[Task]:
    """Return those of them whose files nobody is writing right now."""
    return assembled().filter(Q(assembly_until=None) | Q(assembly_until__lt=Now()))


def mine(task: Task) -> QuerySet[Task]:
    """Return the task if this worker's claim, which `task` carries, is still the newest."""
    return assembled().filter(pk=task.pk, assembly_claim=task.assembly_claim)


def claim(task_id: str) -> Task | None:
    """Become the only writer of a task's files; return the task with the claim, or None."""
    claimed = (
        free()
        .filter(WaitBriefly(), pk=task_id)
        .update(
            assembly_claim=F("assembly_claim") + 1,
            assembly_until=database_time(settings.PISTON_CLAIM_SECONDS),
        )
    )
    return Task.objects.get(pk=task_id) if claimed else None


def renew(task: Task, seconds: float = 0) -> bool:
    """Stay the writer, for `seconds` more than a claim lasts; False when it was overtaken."""
    until = database_time(settings.PISTON_CLAIM_SECONDS + seconds)
    return bool(mine(task).update(assembly_until=until))


def hold(task: Task, seconds: float = 0) -> None:
    """Renew the claim in the current transaction and lock the task; or raise ClaimLost."""
    if not renew(task, seconds):
        raise ClaimLost


def release(task: Task) -> None:
    """Let others write; nothing happens when the claim was overtaken."""
    mine(task).update(assembly_until=None)
