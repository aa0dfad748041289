"""Ends the work on a task that is complete or broken, or whose input is gone."""

from __future__ import annotations

import logging

from django.db import transaction

from piston.database.swallowed_errors import refuse_swallowed
from tasks_app import events
from tasks_app.errors import ActionBroken, StoredFileMissing
from tasks_app.execution import ledger, unanswered
from tasks_app.execution.blame import action_errors
from tasks_app.execution.runs import Run
from tasks_app.models import EventKind, Segment
from tasks_app.states import Ending

logger = logging.getLogger(__name__)


def end_without_input(run: Run, error: StoredFileMissing) -> None:
    """End a task whose input is missing or has changed, after recording rows that were sent.

    If these were the segment's last, do not end the task: the assembly verifies the input again.
    """
    unanswered.settle_segment(run.task, run.segment)
    if not run.segment.is_done:
        end_as_broken(run.segment, run.describe_loss(error), str(error))


def end_as_broken(segment: Segment, reason: str, detail: str) -> None:
    """End a task that cannot go on; its owner sees the reason, and staff also see the detail."""
    logger.warning("Task %s is broken: %s", segment.task_id, detail, exc_info=True)
    with transaction.atomic():
        if segment.end_work(Ending.BROKEN, reason):
            events.record(segment.task, EventKind.BROKEN, events.SYSTEM, detail=detail)


def complete(run: Run) -> None:
    """End the work on a task whose segments are all done; `finish` runs in the same transaction."""
    if run.task.segments.all().unfinished().exists():
        return
    try:
        with action_errors("the action could not finish"), transaction.atomic():
            with ledger.ledger_errors():
                is_first = run.segment.end_work(Ending.COMPLETED)
            if is_first:
                run.action.finish(run.context)
                refuse_swallowed()
    except ActionBroken as error:
        end_as_broken(run.segment, str(error), error.detail)
