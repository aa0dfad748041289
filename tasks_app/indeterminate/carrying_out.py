"""Carries out people's decisions: first the answers, then files and counts in one transaction."""

from __future__ import annotations

import logging
from time import monotonic

from django.conf import settings

from categories.errors import ActionWaits
from piston import disk_reserve
from tasks_app.errors import ClaimLost
from tasks_app.execution import waiting
from tasks_app.indeterminate import answers, settling
from tasks_app.models import Effect, EffectState, Task
from tasks_app.queue import dispatch

MAX_AT_ONCE = 200  # rows each time the files are written; one decision of staff has no more

logger = logging.getLogger(__name__)


def carry_out(task_id: str) -> None:
    """Settle the decided rows of a task that has ended.

    It can be called at any time and repeatedly: it does nothing when no row is left, or when
    another worker has the claim. If this worker dies, its claim expires and the sweeper sends
    another message.
    """
    if not Effect.objects.to_carry_out().filter(task=task_id).exists():
        return
    if disk_reserve.is_short():
        return  # the sweeper sends another message when there is room
    task = claim(task_id)
    if task is None:
        return
    try:
        if answer_rows(task):
            settling.rewrite(task, MAX_AT_ONCE)
        release(task)
    except ClaimLost:
        logger.info("The settling of rows of %s was overtaken", task_id)
        return
    except ActionWaits as error:
        release(task)
        waiting.log_waiting(task_id, error)  # the sweeper sends again
        return
    if Effect.objects.to_carry_out().filter(task=task_id).exists():
        dispatch.request_settling(task_id)


def claim(task_id: str) -> Task | None:
    """Claim the task, to be the only writer of its files; return the task, or None if it is held.

    Assemblers use the same claim, so a task's files never have two writers.
    """
    task = Task.objects.assembled().filter(pk=task_id).first()
    if task and Task.objects.assembled().take(task, settings.PISTON_CLAIM_SECONDS):
        return task
    return None


def release(task: Task) -> None:
    """Release the claim on the task's files; does nothing when the claim was overtaken."""
    Task.objects.assembled().release(task)


def answer_rows(task: Task) -> bool:
    """Find the answers of decided rows; False when some are left for the next message.

    A message sends rows for at most the length of a slice. The files are written once all answers,
    or MAX_AT_ONCE of them, are recorded.
    """
    until = monotonic() + settings.PISTON_SLICE_MILLISECONDS / 1000
    answered = task.effects.filter(state=EffectState.ANSWERED).count()
    undecided = task.effects.filter(state__in=[EffectState.DECIDED, EffectState.RESENT])
    for effect in undecided.order_by("row_number")[: max(MAX_AT_ONCE - answered, 0)]:
        if monotonic() > until or not answers.answer(task, effect):
            return False
    return True
