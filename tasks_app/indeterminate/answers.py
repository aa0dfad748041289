"""What is a settled row's new line? Told by a person's decision, or by sending it once more."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from categories import registry
from categories.contract import Outcome, Row, RowAction, RowFailed
from categories.errors import CategoryError
from categories.running import calls
from categories.running.attempts import classified_errors
from categories.running.failures import Indeterminate, describe_failure
from tasks_app import events
from tasks_app.csv_files.boundaries import rows_in
from tasks_app.csv_files.reading import Batch
from tasks_app.csv_files.writing import encode_row
from tasks_app.errors import CannotBeSentAgain, StoredFileMissing
from tasks_app.execution import external, rate_limit
from tasks_app.execution.blame import NOT_THE_ROWS_FAULT
from tasks_app.execution.output_lines import Written, write_rows
from tasks_app.execution.runs import Run, context_of
from tasks_app.files import storage
from tasks_app.indeterminate.places import find_places, stored
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
    """What is to stand in the files for a row."""

    settled_as: SettledAs
    output: bytes  # its lines for out.csv
    failed: bytes = b""  # its line for failed.csv


def answer(task: Task, effect: Effect) -> bool:
    """Find a decided row's answer and record it; False when it has to wait for its turn.

    A row that cannot be sent again, or whose line is gone, is given back: the others do not wait.
    """
    try:
        found = find_answer(task, effect)
    except (CannotBeSentAgain, StoredFileMissing) as error:
        give_back(task, effect, str(error))
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
    """Renew the claim on the task's files, for more than it lasts if need be; or raise ClaimLost.

    The task's row stays locked until the transaction ends.
    """
    Task.objects.assembled().hold(task, settings.PISTON_CLAIM_SECONDS + more_seconds)


def find_answer(task: Task, effect: Effect) -> Answer | None:
    """Return what a row's lines become; None when its action's rate allows no row right now."""
    match Decision(effect.decision):
        case Decision.DONE:
            return Answer(SettledAs.SUCCEEDED, with_error(read_line(task, effect), ""))
        case Decision.NOT_DONE:
            with closing(run_of(task, effect, RowAction())) as run:
                line = read_row(run, effect).lines[0] + b"\n"
            return Answer(SettledAs.FAILED, with_error(read_line(task, effect), NOT_DONE), line)
        case Decision.SEND_AGAIN:
            return send_again(task, effect)


# ---- What a person knows -------------------------------------------------------------------------


def read_line(task: Task, effect: Effect) -> bytes:
    """Return the row's line as it stands in out.csv now."""
    (place,) = find_places(task, [effect])
    return b"".join(storage.read_range(stored(task, CSVName.OUTPUT), place.start, place.end))


def with_error(line: bytes, message: str) -> bytes:
    """Return a failed row's line with another message in its last cell; the rest stays as it is.

    So it needs no action, whose columns may have changed or gone since.
    """
    cells = next(rows_in(line, is_last=True))[0]
    old = encode_row([cells[-1]]) + b"\n"
    if not line.endswith(old):
        raise StoredFileMissing(f"out.csv has not the line that was written: {line[:200]!r}")
    kept = line[: -len(old)]
    new = encode_row(["", message])[1:] if kept else encode_row([message])
    return kept + new + b"\n"


def read_row(run: Run, effect: Effect) -> Batch:
    """Return the row as it stands in in.csv, from the journal if that has it: no file is needed."""
    return external.find_line(effect) or run.take(1)


def run_of(task: Task, effect: Effect, action: RowAction) -> Run:
    """Return a worker's view of the one row."""
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


# ---- Sending once more ---------------------------------------------------------------------------


def send_again(task: Task, effect: Effect) -> Answer | None:
    """Send the row once more with the same effect key; None when the action's rate allows none.

    A row that was journaled as `resent` before was with a worker that died. It is never repeated,
    even where the action is idempotent: it may be the row that kills workers, and what a person
    asked for was one call. Raises CannotBeSentAgain, with nothing sent.
    """
    if effect.state == EffectState.RESENT:
        return died_again(task, effect)
    action = require_same_action(task)
    if action.rows_per_second and not rate_limit.wait_for_turn(task, 1, action.rows_per_second):
        return None
    with closing(run_of(task, effect, action)) as run:
        batch = read_row(run, effect)
        row = read_cells(run, batch, effect)
        journal(task, effect, seconds=action.row_seconds)
        outcome = calls.call(action, run.context, row, effect.row_number, effect.key)
        if action.idempotent:  # for others, that person said that it may be sent as if never sent
            outcome = calls.qualify(outcome, effect.attempt_count + 1)
        return answer_with(run, batch, outcome)


def read_cells(run: Run, batch: Batch, effect: Effect) -> Row:
    """Return the row as the action gets it; CannotBeSentAgain if its columns refuse or fail."""
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
    if category.version != task.category_version:
        raise CannotBeSentAgain(
            task.pk,
            f"the task ran under version {task.category_version} of {task.category}, "
            f"installed is {category.version}",
        )
    return cast("RowAction", action())


@transaction.atomic
def journal(task: Task, effect: Effect, *, seconds: float) -> None:
    """Record that the row is about to be sent again, under a claim that lasts as long."""
    hold(task, seconds)
    Effect.objects.filter(pk=effect.pk).update(
        state=EffectState.RESENT, claim=task.assembly_claim, sent_at=Now()
    )


def answer_with(run: Run, batch: Batch, outcome: Outcome) -> Answer:
    """Return the answer that an outcome is."""
    try:
        written = write_rows(run.output_shape, batch, [outcome])
    except Exception as error:
        logger.warning("An answer of %s cannot be written", run.task.pk, exc_info=error)
        unknown = external.unwritable(outcome, error)  # what was sent cannot be taken back
        written = write_rows(run.output_shape, batch, [unknown])
    return Answer(settled_as(written), written.output, written.failed)


def settled_as(written: Written) -> SettledAs:
    """Return what a row with these lines counts as."""
    if written.indeterminate_count:
        return SettledAs.INDETERMINATE
    return SettledAs.FAILED if written.failure_count else SettledAs.SUCCEEDED


def died_again(task: Task, effect: Effect) -> Answer:
    """Return the answer of a row whose worker died once more."""
    line = with_error(read_line(task, effect), str(DIED_AGAIN))
    return Answer(SettledAs.INDETERMINATE, line)


@transaction.atomic
def give_back(task: Task, effect: Effect, why: str) -> None:
    """Leave the row indeterminate, as it was, for somebody to decide otherwise."""
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
