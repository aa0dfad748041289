"""Runs and commits the next batch of a segment."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from django.db import connection, transaction

from categories.contract import (
    Effects,
    Outcome,
    Row,
    RowAction,
    RowFailed,
)
from categories.errors import RowTimedOut
from categories.running.attempts import Attempt
from categories.running.database_waits import allow_time
from piston import disk_reserve
from piston.plurals import plural
from tasks_app import events
from tasks_app.csv_files.reading import Batch
from tasks_app.errors import ClaimLost
from tasks_app.execution import external, ledger, rate_limit
from tasks_app.execution.batch_size import aimed_seconds, choose_size, next_size
from tasks_app.execution.blame import NOT_THE_ROWS_FAULT, action_errors
from tasks_app.execution.out_and_failed_csv import summarize
from tasks_app.execution.pages import run_page
from tasks_app.execution.poison_rows import (
    MAX_DEATHS,
    count_deaths,
    had_grace_period,
    is_isolated,
    mark_isolated_attempt,
    shrink_batches,
    start_grace_period,
)
from tasks_app.execution.runs import Run
from tasks_app.execution.sqlite_lock import lock_pause
from tasks_app.models import EventKind

logger = logging.getLogger(__name__)

SPLIT_SECONDS = 2.0  # of searching for bad rows; then the outcomes found so far are committed


def run_next_batch(run: Run) -> bool:
    """Run one batch and commit it; False when its rows have to wait.

    Rows wait while the action is at its rate limit, and while an external row is to be sent later.

    Raises ClaimLost, with nothing of the batch kept, when another worker has taken over the
    segment or a person has stopped the task. Raises DiskFull before anything is sent.
    """
    disk_reserve.check_room()
    if not run.segment.has_input:
        with without_garbage_collection():
            run_page(run)
        return True
    if run.action.effects is Effects.EXTERNAL:
        with without_garbage_collection():
            return external.run_group(run)
    size = choose_size(run)
    if not rate_limit.wait_for_turn(run.segment, type(run.action), size):
        return False
    with without_garbage_collection():
        return run_input(run, size)


def run_input(run: Run, size: int) -> bool:
    """Run the next rows, at most `size`, and commit them; False when they have to wait."""
    batch = run.take(size)
    with action_errors():
        rows = run.row_shape.parse_batch(batch.cells, run.segment.cursor_row + 1)
    if is_isolated(run.segment):
        if count_deaths(run.segment) >= MAX_DEATHS:
            return fail_after_grace_period(run, batch)
        mark_isolated_attempt(run.segment)
    run_rows(run, batch, rows)
    return True


def run_rows(run: Run, batch: Batch, rows: Sequence[Row | RowFailed]) -> None:
    """Run a batch whole; if that fails, run it in halves until only the bad rows fail."""
    lock_pause.wait()
    started = time.monotonic()
    attempt = Attempt(cast("RowAction", run.action), run.context, aimed_seconds())
    try:
        if not run_at_once(run, batch, rows, attempt):
            run_in_halves(run, batch, rows, attempt)
    except RowTimedOut as error:
        connection.close()  # the alarm may have interrupted a query
        if len(rows) == 1:
            failed = RowFailed(str(error))
            commit_outcomes(run, batch, lambda: [failed])
        else:
            shrink_batches(run.segment, len(rows))
    lock_pause.begin(time.monotonic() - started)


def run_at_once(run: Run, batch: Batch, rows: Sequence[Row | RowFailed], attempt: Attempt) -> bool:
    """Run and commit the rows together; False when an error rolled all of them back."""
    try:
        commit_outcomes(run, batch, lambda: attempt.run(rows))
    except (ClaimLost, *NOT_THE_ROWS_FAULT):
        raise
    except Exception:  # noqa: BLE001 - halving finds the row that caused it
        return False
    return True


def run_in_halves(
    run: Run, batch: Batch, rows: Sequence[Row | RowFailed], attempt: Attempt
) -> None:
    """Run and commit the rows, or as many as time allows, in halves down to the single bad row."""
    run.segment.hold(run.claim_seconds)
    attempt.deadline = time.monotonic() + SPLIT_SECONDS
    with action_errors():
        commit_outcomes(run, batch, lambda: attempt.split(rows))


def commit_outcomes(run: Run, batch: Batch, find: Callable[[], Sequence[Outcome]]) -> None:
    """Find the outcomes and commit them with the ledger; if rows write, both in one transaction."""
    started = time.monotonic()
    reads_only = run.action.effects is Effects.NONE
    outcomes = find() if reads_only else ()
    with transaction.atomic():
        allow_time(run.action.row_seconds, run.claim_seconds)
        if not reads_only:
            outcomes = find()
        left_count = (run.segment.end_row or 0) - run.segment.cursor_row
        done = summarize(run.output_shape, batch, outcomes, left_count=left_count)
        size = next_size(run, done, time.monotonic() - started)
        ledger.commit_batch(run.segment, done, next_size=size, claim_seconds=run.claim_seconds)
    ledger.advance(run.segment, done, next_size=size)


def fail_after_grace_period(run: Run, batch: Batch) -> bool:
    """Fail a row after its grace period; False when the grace period begins now."""
    if not had_grace_period(run.segment):
        start_grace_period(run.segment)
        return False
    fail_poison_row(run, batch)
    return True


def fail_poison_row(run: Run, batch: Batch) -> None:
    """Record the poison row as failed, without running it again."""
    deaths = count_deaths(run.segment)
    why = f"the worker died on this row, {deaths} {plural('time', deaths)}"
    failed = RowFailed(why)
    left_count = (run.segment.end_row or 0) - run.segment.cursor_row
    done = summarize(run.output_shape, batch, [failed], left_count=left_count)
    size = run.segment.batch_size
    with transaction.atomic():
        ledger.commit_batch(run.segment, done, next_size=size, claim_seconds=run.claim_seconds)
        row = run.segment.cursor_row + 1
        events.record(run.task, EventKind.ROW_BLAMED, events.SYSTEM, row=row, deaths=deaths)
    ledger.advance(run.segment, done, next_size=size)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Disable Python's cyclic garbage collector inside the block, unless it is disabled already.

    The collector scans all young objects whenever there are 700 more of them. A batch has tens of
    thousands, which live until its commit and form no cycles: the scans would take half of a
    worker's time. Cycles that an action makes are collected after its batch.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
