"""Sends external rows, journaled first, so that no crash repeats one unnoticed (design §5).

The rows that are sent at the same time are a group: one row, or as many as the action's
`concurrency` says. A group is journaled, sent and recorded with a few statements.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import cast

from categories.contract import Outcome, Row, RowAction
from categories.errors import ActionWaits
from categories.running import callers, calls
from categories.running.callers import Call
from categories.running.failures import Unanswered
from piston.plurals import plural
from tasks_app.csv_files.reading import Batch
from tasks_app.errors import ClaimLost
from tasks_app.execution import external_journal, external_outcomes, poison_rows, rate_limit
from tasks_app.execution.batch_size import choose_size
from tasks_app.execution.blame import action_errors
from tasks_app.execution.breaker import Admission
from tasks_app.execution.external_rows import (
    ExternalRow,
    decide,
    find_pause,
)
from tasks_app.execution.runs import BATCH_BYTES, ReadRow, Run
from tasks_app.models import Task

logger = logging.getLogger(__name__)


def run_group(run: Run) -> bool:
    """Send the next rows that may be sent, and record their outcomes; False if rows have to wait.

    Rows that were sent before and have no outcome are in the journal: an idempotent action sends
    them again with the same key, within its limits. Raises ActionWaits when a row needs something
    that the database lacks.
    """
    action = cast("RowAction", run.action)
    is_alone = poison_rows.may_hold_poison_row(run.segment)
    # 1. See what is known of the next rows, and give those that need no call their outcome.
    rows = look_ahead(run, 1 if is_alone else callers.window_size(type(action)))
    for row in rows:
        decide(row, action)
    external_outcomes.write_lines(run, rows)
    # 2. Choose the rows to send. If there are none, record what is known, or wait.
    chosen = choose(run, rows)
    if not chosen:
        return record_known(run, rows) or wait(run, rows)
    if is_alone and poison_rows.count_deaths(run.segment) >= poison_rows.MAX_DEATHS:
        return record_poison(run, rows[0])
    if not rate_limit.wait_for_turn(run.segment, type(action), len(chosen)):
        return False
    # 3. Journal, send, record.
    if is_alone:
        poison_rows.mark_isolated_attempt(run.segment)
    spread = spread_of(action) * (len(chosen) - 1)
    admission = external_journal.write(
        run.segment, action, rows, chosen, seconds=spread + action.row_seconds + run.claim_seconds
    )
    sent = [row for row in chosen if row.was_sent]
    if not sent:
        return False  # the circuit breaker is open: nobody claims the task's segments
    send(run, sent)
    external_outcomes.record(run, rows, sent, is_trial=admission is Admission.ONE)
    raise_missing(run, sent)
    pause = external_outcomes.find_pause_of_all(run, rows)
    return not callers.are_stuck() and (pause is None or rate_limit.wait_unless_needed(pause))


def look_ahead(run: Run, count: int) -> list[ExternalRow]:
    """Return the next rows of the segment, at most `count`, with what the journal says of each."""
    read_ahead(run, count)
    rows = [ExternalRow(read) for read in run.ahead[:count]]
    entries = external_journal.read(run.segment, len(rows))
    for row in rows:
        if row.number in entries:
            row.join(entries[row.number], run.action.retry_seconds)
    return rows


def read_ahead(run: Run, count: int) -> None:
    """Read rows until `run.ahead` has the next `count`, or a few MiB, or the segment's last."""
    segment = run.segment
    run.ahead = [read for read in run.ahead if read.number > segment.cursor_row]
    offset = run.ahead[-1].end_offset if run.ahead else segment.cursor_offset
    number = segment.cursor_row + len(run.ahead)
    wanted = min(count, (segment.end_row or 0) - segment.cursor_row) - len(run.ahead)
    if wanted <= 0 or offset - segment.cursor_offset > BATCH_BYTES:
        return
    batch = run.take(wanted, offset)
    with action_errors():
        parsed = run.row_shape.parse_batch(batch.cells, number + 1)
    for line, cells, end, row in zip(
        batch.lines, batch.cells, batch.end_offsets, parsed, strict=True
    ):
        number += 1
        alone = Batch([line], [cells], [end], is_last=False)
        run.ahead.append(ReadRow(number, offset, alone, row))
        offset = end


def choose(run: Run, rows: Sequence[ExternalRow]) -> list[ExternalRow]:
    """Return the rows to send now, in order: at most a group."""
    due = [row for row in rows if not row.is_finished and row.is_due]
    return due[: choose_size(run)]


def spread_of(action: RowAction) -> float:
    """Return the seconds between the starts of two rows of a group: the rate limit's."""
    slowest = rate_limit.slowest(type(action))
    return 1 / slowest if slowest else 0.0


def send(run: Run, sent: Sequence[ExternalRow]) -> None:
    """Call the action for each row, at the same time, and set the outcomes.

    A single row is sent by the main thread, where an alarm can interrupt it.
    """
    action = cast("RowAction", run.action)
    for row, outcome in zip(sent, call(run, action, sent), strict=True):
        row.outcome = outcome
        if row.attempt_count > 1:
            row.outcome = calls.qualify(outcome, row.attempt_count)
        row.pause = find_pause(row, action)


def call(run: Run, action: RowAction, sent: Sequence[ExternalRow]) -> list[Outcome]:
    """Return the outcomes of rows that are in the journal."""
    keys = [external_journal.effect_key(run.task.pk, row.number) for row in sent]
    if len(sent) == 1:
        only = cast("Row", sent[0].read.parsed)
        return [calls.call(action, run.context, only, sent[0].number, keys[0])]
    spread = spread_of(action)
    return run.callers.call(
        [
            Call(cast("Row", row.read.parsed), row.number, key, place * spread)
            for place, (row, key) in enumerate(zip(sent, keys, strict=True))
        ]
    )


# ---- Rows that are not sent ----------------------------------------------------------------------


def record_known(run: Run, rows: Sequence[ExternalRow]) -> bool:
    """Record the rows that have their outcome, up to the first without; False if there is none."""
    if not rows[0].is_finished:
        return False
    external_outcomes.record(run, rows, ())
    return True


def wait(run: Run, rows: Sequence[ExternalRow]) -> bool:
    """Let the segment wait until its next row is due; False when the worker should not wait, too.

    A worker gets here that has claimed the segment too early, or after the last row of a group.
    """
    if not Task.objects.running().filter(pk=run.task.pk).exists():
        raise ClaimLost
    seconds = external_outcomes.find_pause_of_all(run, rows) or 0.0
    external_outcomes.pause(run.segment, seconds)
    return rate_limit.wait_unless_needed(seconds)


def record_poison(run: Run, row: ExternalRow) -> bool:
    """Record a row that kills its workers as indeterminate; False when its grace period begins.

    It may have killed them before the journal.
    """
    if not poison_rows.had_grace_period(run.segment):
        poison_rows.start_grace_period(run.segment)
        return False
    deaths = poison_rows.count_deaths(run.segment)
    why = f"the worker died on this row, {deaths} {plural('time', deaths)}"
    external_outcomes.record_poison(run, row, why, deaths)
    return True


def raise_missing(run: Run, sent: Sequence[ExternalRow]) -> None:
    """Raise ActionWaits if a row needed what the database lacks: the next rows need it, too."""
    missing = {
        row: row.outcome.missing
        for row in sent
        if isinstance(row.outcome, Unanswered) and row.outcome.missing
    }
    if missing and not run.segment.is_done:
        is_lost = any(row.pause is None for row in missing)
        raise ActionWaits(next(iter(missing.values())), row_is_lost=is_lost)
