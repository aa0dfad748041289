"""Settles a row that was sent and has no answer, when its task can no longer send it."""

from __future__ import annotations

import logging
from contextlib import closing

from tasks_app.errors import ClaimLost, StoredFileMissing
from tasks_app.execution import batches, external
from tasks_app.execution.runs import Run, context_of
from tasks_app.files import task_files
from tasks_app.models import CSVName, Effect, Segment, Task

logger = logging.getLogger(__name__)


def settle(task: Task) -> None:
    """Record the external rows of an ended task that have no answer as `indeterminate`."""
    sent = {effect.row_number: effect for effect in task.effects.sent()}
    for segment in task.segments.all().unfinished() if sent else ():
        effect = sent.get(segment.cursor_row + 1)
        if effect is None:
            continue
        if not Segment.objects.free().fence(segment).revoke():
            raise ClaimLost
        segment.claim += 1
        settle_row(task, segment, effect)


def settle_row(task: Task, segment: Segment, sent: Effect) -> None:
    """Record the sent row at the segment's cursor as `indeterminate`.

    This needs neither the action nor the input, because the journal has the row's line. A row that
    an older release sent has no line there: if its input is lost, it stays `sent` for ever.
    """
    action_class = task_files.find_action(task)
    try:
        if action_class is None:
            logger.error("The action of %s is gone; the answer to its last row is unknown", task.pk)
            header = task.csvs.filter(name=CSVName.INPUT).values_list("header", flat=True).first()
            action_class = task_files.replacement_action(task, header or ())
        with closing(Run(segment, action_class(), context_of(task))) as run:
            batch = external.find_line(sent) or run.take(1)
            batches.commit_external(run, batch, external.unknown(sent), was_sent=True)
    except StoredFileMissing:
        logger.exception("A sent row of %s has no line: its input is lost", task.pk)
