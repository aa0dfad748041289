"""Settles the rows in the journal of a task that can no longer send them."""

from __future__ import annotations

import logging
from contextlib import closing

from categories.contract import RowFailed
from tasks_app.errors import ClaimLost, StoredFileMissing
from tasks_app.execution import external_journal, external_outcomes
from tasks_app.execution.external_rows import ExternalRow, unknown, written_in
from tasks_app.execution.runs import ReadRow, Run, context_of
from tasks_app.files import task_files
from tasks_app.models import CSVName, Effect, EffectState, Segment, Task
from tasks_app.models.effect import EffectQuerySet

logger = logging.getLogger(__name__)

ENDED_FIRST = "not done: the service asked to wait, and the task ended before that"


def is_in_flight(task: Task) -> bool:
    """Say whether a worker may still get the answer to a row of the task."""
    return bool(task.effects.unrecorded().exists() and task.segments.all().held().exists())


def settle(task: Task) -> None:
    """Record the external rows of an ended task that may have had an effect.

    One without an answer is `indeterminate`.
    """
    if not task.effects.unrecorded().exists():
        return
    for segment in task.segments.all().unfinished():
        if not entries_of(segment).exists():
            continue
        if not Segment.objects.free().fence(segment).revoke():
            raise ClaimLost
        segment.claim += 1
        settle_segment(task, segment)


def entries_of(segment: Segment) -> EffectQuerySet:
    """Return the journal's entries of the segment's rows without a line in the output."""
    end_row = segment.end_row or 0
    entries = Effect.objects.unrecorded().filter(
        task=segment.task_id, row_number__gt=segment.cursor_row, row_number__lte=end_row
    )
    return entries.order_by("row_number")


def settle_segment(task: Task, segment: Segment) -> None:
    """Record the rows after the segment's cursor that may have had an effect.

    This needs neither the action nor the input, because the journal has the rows' lines. A row
    that an older release sent has no line there: if its input is lost, it stays `sent` for ever.
    Entries behind the last such row go: nothing has happened, and the rows stay unprocessed.
    """
    entries = list(entries_of(segment).defer(None))
    while entries and not entries[-1].attempt_count:
        entries.pop().delete()
    if not entries:
        return
    action_class = task_files.find_action(task)
    try:
        if action_class is None:
            logger.error("The action of %s is gone; the answers to its last rows are unknown", task)
            header = task.csvs.filter(name=CSVName.INPUT).values_list("header", flat=True).first()
            action_class = task_files.replacement_action(task, header or ())
        with closing(Run(segment, action_class(), context_of(task))) as run:
            rows = [row_of(run, entry) for entry in entries]
            external_outcomes.write_lines(run, rows)
            external_outcomes.record_all(run, rows)
    except StoredFileMissing:
        logger.exception("A sent row of %s has no line: its input is lost", task.pk)


def row_of(run: Run, entry: Effect) -> ExternalRow:
    """Return the row of an entry, with its final outcome."""
    batch = external_journal.line_of(entry) or run.take(1)
    offset = entry.input_offset or run.segment.cursor_offset
    row = ExternalRow(ReadRow(entry.row_number, offset, batch, RowFailed("")), entry)
    if entry.state == EffectState.KNOWN:
        row.written = written_in(entry)
    elif entry.attempt_count:
        row.outcome = unknown(entry)
    else:
        row.outcome = RowFailed(ENDED_FIRST)
    return row
