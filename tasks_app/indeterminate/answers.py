"""Finds the new lines of a decided row: from the decision, or by sending the row again."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from categories import registry
from categories.contract import Outcome, Row, RowAction, RowFailed, fits
from categories.errors import CategoryError
from categories.running import calls
from categories.running.attempts import classified_errors
from categories.running.failures import Indeterminate, describe_failure
from tasks_app import events
from tasks_app.csv_files.boundaries import rows_in
from tasks_app.csv_files.reading import Batch
from tasks_app.csv_files.writing import encode_row
from tasks_app.errors import CannotBeSentAgain, StoredFileMissing
from tasks_app.execution import external_journal, external_rows, rate_limit
from tasks_app.execution.blame import NOT_THE_ROWS_FAULT
from tasks_app.execution.out_and_failed_csv import write_rows
from tasks_app.execution.runs import Run, context_of
from tasks_app.files import storage
from tasks_app.indeterminate.line_positions import find_line_positions, require_stored
from tasks_app.models import (
    CSVName,
    Decision,
    Effect,
    EffectState,
    EventKind,
    Segment,
    SettledAs,
    Task,
)

NOT_DONE = "not done: staff found out that it did not happen"
DIED_AGAIN = Indeterminate("a worker died, or lost the database, while it was being sent again")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """The new lines of a row in the files."""

    settled_as: SettledAs
    output: bytes  # its lines for out.csv
    failed: bytes = b""  # its line for failed.csv


def answer(task: Task, effect: Effect) -> bool:
    """Find a decided row's answer and record it; False when the rate limit allows no row now.

    A row that cannot be sent again, or whose line is missing, becomes indeterminate again, so that
    it does not delay the others.
    """
    try:
        found = find_answer(task, effect)
    except (CannotBeSentAgain, StoredFileMissing) as error:
        undo_decision(task, effect, str(error))
        return True
    if found is None:
        return False
    with transaction.atomic():
        hold(task)
        Effect.objects.filter(pk=effect.pk).update(
            state=EffectState.ANSWERED,
            settled_as=found.settled_as,
            output=found.output,
            failed=found.failed,
        )
    return True


def hold(task: Task, more_seconds: float = 0) -> None:
    """Renew the claim on the task's files, or raise ClaimLost; `more_seconds` make it last longer.

    The task's row stays locked until the transaction ends.
    """
    Task.objects.assembled().hold(task, settings.PISTON_CLAIM_SECONDS + more_seconds)


def find_answer(task: Task, effect: Effect) -> Answer | None:
    """Return a row's answer; None when its action's rate limit allows no row now."""
    match Decision(effect.decision):
        case Decision.DONE:
            return Answer(SettledAs.SUCCEEDED, with_error(read_line(task, effect), ""))
        case Decision.NOT_DONE:
            with closing(run_of(task, effect, RowAction())) as run:
                line = read_row(run, effect).lines[0] + b"\n"
            return Answer(SettledAs.FAILED, with_error(read_line(task, effect), NOT_DONE), line)
        case Decision.SEND_AGAIN:
            return send_again(task, effect)


# ---- Answers from a decision alone ---------------------------------------------------------------


def read_line(task: Task, effect: Effect) -> bytes:
    """Return the row's line in out.csv as it is now."""
    (position,) = find_line_positions(task, [effect])
    return b"".join(
        storage.read_range(require_stored(task, CSVName.OUTPUT), position.start, position.end)
    )


def with_error(line: bytes, message: str) -> bytes:
    """Return a failed row's line with another message in its last cell and nothing else changed.

    So it does not need the action, whose columns may have changed or gone since.
    """
    cells = next(rows_in(line, is_last=True))[0]
    old = encode_row([cells[-1]]) + b"\n"
    if not line.endswith(old):
        raise StoredFileMissing(f"out.csv has not the line that was written: {line[:200]!r}")
    kept = line[: -len(old)]
    new = encode_row(["", message])[1:] if kept else encode_row([message])
    return kept + new + b"\n"


def read_row(run: Run, effect: Effect) -> Batch:
    """Return the row as it is in in.csv; if the journal has it, no file is read."""
    return external_journal.find_line(effect) or run.take(1)


def run_of(task: Task, effect: Effect, action: RowAction) -> Run:
    """Return a run over this one row."""
    if effect.input_offset is None:
        raise StoredFileMissing(f"The {effect} has no known place in in.csv.")
    before = effect.row_number - 1
    segment = Segment(
        task=task,
        start_row=before,
        cursor_row=before,
        end_row=effect.row_number,
        cursor_offset=effect.input_offset,
    )
    return Run(segment, action, context_of(task))


# ---- Answers from sending the row again ----------------------------------------------------------


def send_again(task: Task, effect: Effect) -> Answer | None:
    """Send the row again with the same effect key; None when the rate limit allows no row now.

    If the row is `resent` already, its worker died. It is not sent another time, even by an
    idempotent action: it may be a poison row, and the person asked for one call. Raises
    CannotBeSentAgain, with nothing sent.
    """
    if effect.state == EffectState.RESENT:
        return died_again(task, effect)
    action = require_same_action(task)
    if not rate_limit.wait_for_turn(Segment(task=task), type(action), 1):
        return None
    with closing(run_of(task, effect, action)) as run:
        batch = read_row(run, effect)
        row = read_cells(run, batch, effect)
        journal(task, effect, seconds=action.row_seconds)
        outcome = calls.call(action, run.context, row, effect.row_number, effect.key)
        if action.idempotent:  # for others, the decision means: as if it was never sent before
            outcome = calls.qualify(outcome, effect.attempt_count + 1)
        return answer_with(run, batch, outcome)


def read_cells(run: Run, batch: Batch, effect: Effect) -> Row:
    """Return the row as the action gets it; CannotBeSentAgain if its cells cannot be parsed."""
    try:
        with classified_errors():
            (row,) = run.row_shape.parse_batch(batch.cells, effect.row_number)
    except NOT_THE_ROWS_FAULT:
        raise
    except Exception as error:
        raise CannotBeSentAgain(run.task.pk, describe_failure(error)) from error
    if isinstance(row, RowFailed):
        raise CannotBeSentAgain(run.task.pk, str(row))
    return row


def require_same_action(task: Task) -> RowAction:
    """Return the task's action; CannotBeSentAgain if it is gone or has changed."""
    try:
        category, action = registry.get_action(
            task.category, task.action, version=task.category_version
        )
    except CategoryError as error:
        raise CannotBeSentAgain(task.pk, str(error)) from error
    if not fits(category, task.category_version):
        raise CannotBeSentAgain(
            task.pk,
            f"the task ran under version {task.category_version} of {task.category}, "
            f"installed is {category.version}",
        )
    return cast("RowAction", action())


@transaction.atomic
def journal(task: Task, effect: Effect, *, seconds: float) -> None:
    """Record that the row is about to be sent again, under a claim that outlasts the call."""
    hold(task, seconds)
    Effect.objects.filter(pk=effect.pk).update(
        state=EffectState.RESENT, claim=task.assembly_claim, sent_at=Now()
    )


def answer_with(run: Run, batch: Batch, outcome: Outcome) -> Answer:
    """Return the answer with the lines of an outcome."""
    try:
        written = write_rows(run.output_shape, batch, [outcome])
    except Exception as error:
        logger.warning("An answer of %s cannot be written", run.task.pk, exc_info=error)
        unknown = external_rows.unwritable(outcome, error)  # the call cannot be undone
        written = write_rows(run.output_shape, batch, [unknown])
    return Answer(external_journal.settled_as(written), written.output, written.failed)


def died_again(task: Task, effect: Effect) -> Answer:
    """Return the answer of a row whose worker died while it was being sent again."""
    line = with_error(read_line(task, effect), str(DIED_AGAIN))
    return Answer(SettledAs.INDETERMINATE, line)


@transaction.atomic
def undo_decision(task: Task, effect: Effect, why: str) -> None:
    """Make the row indeterminate again, so that a person can decide anew."""
    hold(task)
    Effect.objects.filter(pk=effect.pk).update(state=EffectState.INDETERMINATE, **UNDECIDED)
    logger.warning("The decision about the %s was not carried out: %s", effect, why)
    events.record(
        task,
        EventKind.SETTLED,
        events.SYSTEM,
        row=effect.row_number,
        settled_as=SettledAs.INDETERMINATE,
        why=f"not carried out: {why}",
    )


UNDECIDED = {"decision": "", "decided_by": "", "decided_at": None, "note": ""}
