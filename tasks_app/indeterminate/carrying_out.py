"""How is what people decided carried out? Answers first, then files and counts in one go."""

from __future__ import annotations

import logging
from time import monotonic

from django.conf import settings

from categories.errors import ActionWaits
from piston import disk_reserve
from tasks_app.errors import ClaimLost
from tasks_app.execution import waiting
from tasks_app.indeterminate import answers, rewriting
from tasks_app.models import Effect, EffectState, Task
from tasks_app.queue import dispatch

MAX_AT_ONCE = 200  # rows per writing of the files; what staff decide about at once fits

logger = logging.getLogger(__name__)


def carry_out(task_id: str) -> None:
    """Settle what people decided about rows of a task that has ended.

    May be called at any time, any number of times: it does nothing when nothing is left to do,
    or when somebody else is at it. The claim of whoever is cut off expires, and the sweeper
    sends for another attempt.
    """
    if not Effect.objects.to_carry_out().filter(task=task_id).exists():
        return
    if disk_reserve.is_short():
        return  # the sweeper sends again when there is room
    task = claim(task_id)
    if task is None:
        return
    try:
        if answer_rows(task):
            rewriting.rewrite(task, MAX_AT_ONCE)
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
    """Become the only writer of a task's files; return the task with the claim, or None.

    It is the assembler's claim, on a task that is assembled: its files never have two writers.
    """
    task = Task.objects.assembled().filter(pk=task_id).first()
    if task and Task.objects.assembled().take(task, settings.PISTON_CLAIM_SECONDS):
        return task
    return None


def release(task: Task) -> None:
    """Let others write the task's files; nothing happens when the claim was overtaken."""
    Task.objects.assembled().release(task)


def answer_rows(task: Task) -> bool:
    """Find the answers of decided rows; False when some are left for the next message.

    A message sends rows for no longer than a slice lasts, and the files are not written before
    all answers are there, or as many as are written at once.
    """
    until = monotonic() + settings.PISTON_SLICE_MILLISECONDS / 1000
    answered = task.effects.filter(state=EffectState.ANSWERED).count()
    undecided = task.effects.filter(state__in=[EffectState.DECIDED, EffectState.RESENT])
    for effect in undecided.order_by("row_number")[: max(MAX_AT_ONCE - answered, 0)]:
        if monotonic() > until or not answers.answer(task, effect):
            return False
    return True
