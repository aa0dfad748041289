"""Records the outcomes of external rows: in the output, or in the journal until their turn.

Rows enter the output in the order of the input. So an outcome behind a row that has none yet is
kept in the journal. It is never asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import pairwise, takewhile
from typing import cast

from django.db import transaction
from django.db.models import F

from categories.contract import RowAction
from categories.running.callers import window_size
from categories.running.failure_log import log_row
from categories.running.failures import Indeterminate, ToldToWait, stop_reason
from tasks_app import events
from tasks_app.errors import ClaimLost
from tasks_app.execution import breaker, external_journal, ledger
from tasks_app.execution.blame import NOT_THE_ROWS_FAULT
from tasks_app.execution.external_rows import (
    MAX_PAUSE_SECONDS,
    ExternalRow,
    found_nothing_missing,
    given_up,
    is_failed_call,
    unknown,
    unwritable,
)
from tasks_app.execution.ledger import Done
from tasks_app.execution.out_and_failed_csv import write_rows
from tasks_app.execution.runs import Run
from tasks_app.models import EventKind, Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.states import Ending


def write_lines(run: Run, rows: Sequence[ExternalRow]) -> None:
    """Write the lines of the rows that have their outcome."""
    for row in rows:
        if row.is_finished and row.written is None and row.outcome is not None:
            row.written = write_rows(run.output_shape, row.read.batch, [row.outcome])


def record(
    run: Run, rows: Sequence[ExternalRow], sent: Sequence[ExternalRow], *, is_trial: bool = False
) -> None:
    """Record what became of the next rows, of which this worker has sent some.

    A sent row cannot be rolled back. So if its answer cannot be written, for whatever reason, the
    row becomes indeterminate.
    """
    for row in sent:
        write_sent(run, row)
    group = Group(run, rows, sent, is_trial=is_trial)
    try:
        group.commit()
    except (ClaimLost, *NOT_THE_ROWS_FAULT):
        raise
    except Exception:
        if not sent:
            raise
        record_singly(run, rows, sent, is_trial=is_trial)


def write_sent(run: Run, row: ExternalRow) -> None:
    """Write the lines of a row that was sent, unless it is sent again."""
    if isinstance(row.outcome, ToldToWait) and row.pause is None:
        certain = row.attempt_count <= 1
        row.outcome = given_up(cast("RowAction", run.action)) if certain else row.outcome
    try:
        write_lines(run, [row])
    except NOT_THE_ROWS_FAULT:
        raise
    except Exception as error:  # noqa: BLE001 - whatever an answer is made of
        become_unwritable(run, row, error)


def record_singly(
    run: Run,
    rows: Sequence[ExternalRow],
    sent: Sequence[ExternalRow],
    *,
    is_trial: bool,
) -> None:
    """Record rows one by one, after a working database has refused the lines of one of them."""
    for row in rows:
        if row not in sent:
            if row.is_finished:
                Group(run, [row], ()).commit()
            continue
        try:
            Group(run, [row], [row], is_trial=is_trial).commit()
        except (ClaimLost, *NOT_THE_ROWS_FAULT):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a working database refuses
            become_unwritable(run, row, error)
            Group(run, [row], [row], is_trial=is_trial).commit()


def become_unwritable(run: Run, row: ExternalRow, error: Exception) -> None:
    """Make a sent row indeterminate: its answer cannot be written."""
    log_row("An answer cannot be written", run.task.pk, row.number, error)
    if row.outcome is not None:
        row.outcome = unwritable(row.outcome, error)
    row.pause = row.written = None
    write_lines(run, [row])


def record_all(run: Run, rows: Sequence[ExternalRow]) -> None:
    """Record rows that have their outcomes, although their task has ended."""
    Group(run, rows, (), may_be_stopped=True).commit()


def record_poison(run: Run, row: ExternalRow, why: str, deaths: int) -> None:
    """Record a row that kills its workers as indeterminate, without sending it again."""
    row.outcome = unknown(row.entry, why) if row.entry else Indeterminate(why)
    row.pause = None
    write_lines(run, [row])

    def blame() -> None:
        kind = EventKind.ROW_BLAMED
        events.record(run.task, kind, events.SYSTEM, row=row.number, deaths=deaths)

    Group(run, [row], (), may_be_stopped=False).commit(blame)


class Group:
    """What is to be recorded of the next rows, in one transaction."""

    def __init__(
        self,
        run: Run,
        rows: Sequence[ExternalRow],
        sent: Sequence[ExternalRow],
        *,
        is_trial: bool = False,
        may_be_stopped: bool | None = None,
    ) -> None:
        self.run = run
        self.segment: Segment = run.segment
        self.sent = sent
        self.is_trial = is_trial
        # A row that may have been sent is recorded even after a stop; nothing else is.
        was_sent = any(row.attempt_count for row in rows)
        self.may_be_stopped = was_sent if may_be_stopped is None else may_be_stopped
        is_next = rows[0].number == run.segment.cursor_row + 1
        finished = takewhile(lambda row: row.is_finished, rows) if is_next else ()
        self.done = list(takewhile(lambda row: row.entry or not was_sent, finished))
        after = rows[len(self.done) :]
        self.kept = [row for row in after if row.is_finished and row.must_be_kept]
        self.paused = [row for row in sent if row.pause is not None]
        self.pause_of_all = None if self.done else find_pause_of_all(run, rows)
        self.failed_count = sum(is_failed_call(row.outcome) for row in sent)

    @property
    def stop_reason(self) -> str | None:
        """Why the action stopped the task on one of the rows; None if it did not."""
        found = (stop_reason(row.outcome) for row in self.sent if row.outcome)
        return next((reason for reason in found if reason is not None), None)

    def commit(self, also: Callable[[], None] = lambda: None) -> None:
        """Commit it; raises ClaimLost, with nothing changed, when the claim was overtaken."""
        parts = list(self.parts())
        size = window_size(type(self.run.action))
        # the copy that moves on, row by row, while the transaction may still be rolled back
        moving = copy(self.segment)
        with ledger.ledger_errors(), transaction.atomic():
            if self.kept or self.paused or self.failed_count or self.is_trial:
                self.write_journal()
            for done in parts:
                ledger.commit_batch(
                    moving,
                    done,
                    next_size=size,
                    claim_seconds=self.run.claim_seconds,
                    also_when_stopped=self.may_be_stopped,
                )
                ledger.advance(moving, done, next_size=size)
            external_journal.record(self.segment, self.done)
            for row in self.done:
                if row.is_indeterminate:
                    kind = EventKind.INDETERMINATE
                    events.record(self.run.task, kind, events.SYSTEM, row=row.number)
            if (reason := self.stop_reason) is not None:
                self.run.task.end_work(Ending.CUT_SHORT, reason)
            also()
        for done in parts:
            ledger.advance(self.segment, done, next_size=size)

    def write_journal(self) -> None:
        """Keep what cannot be committed yet, and count the calls for the circuit breaker."""
        task = self.run.task
        Task.objects.filter(pk=task.pk).update(revision=F("revision"))  # locks the row first
        self.segment.hold(self.run.claim_seconds)
        external_journal.keep(self.kept)
        external_journal.postpone(self.paused)
        if self.pause_of_all is not None:
            pause(self.segment, self.pause_of_all)
        breaker.count(
            task,
            cast("RowAction", self.run.action),
            call_count=len(self.sent),
            failed_count=self.failed_count,
            is_trial=self.is_trial,
        )

    def parts(self) -> Iterator[Done]:
        """Yield the parts of the output: an indeterminate row has one of its own."""
        places = [place for place, row in enumerate(self.done) if row.is_indeterminate]
        cuts = sorted({0, len(self.done), *places, *(place + 1 for place in places)})
        left_count = (self.segment.end_row or 0) - self.segment.cursor_row
        uncounted = 0 if self.failed_count or self.kept or self.is_trial else len(self.sent)
        for start, end in pairwise(cuts):
            was_last = end == left_count
            yield replace(
                self.part(self.done[start:end]),
                was_last=was_last,
                ends_wait=self.ends_wait or was_last,
                call_count=uncounted if start == 0 else 0,
            )

    def part(self, rows: Sequence[ExternalRow]) -> Done:
        """Return what consecutive rows did."""
        written = [row.written for row in rows if row.written]
        return Done(
            row_count=len(rows),
            success_count=sum(each.success_count for each in written),
            failure_count=sum(each.failure_count for each in written),
            indeterminate_count=sum(each.indeterminate_count for each in written),
            output=b"".join(each.output for each in written),
            failed=b"".join(each.failed for each in written),
            next_offset=rows[-1].read.end_offset,
            was_last=False,
        )

    @property
    def ends_wait(self) -> bool:
        """Is it known that the database lacks nothing (any more) that these rows need?"""
        return bool(self.sent) and all(found_nothing_missing(row.outcome) for row in self.sent)


def find_pause_of_all(run: Run, rows: Sequence[ExternalRow]) -> float | None:
    """Return in how many seconds the first of these rows is due; None if one is due now.

    None also if rows behind them can be sent.
    """
    if any(not row.is_finished and row.pause is None for row in rows):
        return None
    pauses = [row.pause for row in rows if row.pause is not None]
    if not pauses or rows[0].is_finished:
        return None
    return min(pauses)


def pause(segment: Segment, seconds: float) -> None:
    """Let nobody claim the segment for so long; a long pause is cut into several.

    The time is stored, so that every worker keeps to it. The rows have killed no worker, so the
    count of deaths starts again.
    """
    until = database_time(min(seconds, MAX_PAUSE_SECONDS))
    mine = Segment.objects.fence(segment)
    if not mine.update(retry_at=until, suspect_row=None, suspect_trials=0):
        raise ClaimLost
