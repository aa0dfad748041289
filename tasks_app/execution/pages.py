"""Runs a page of an action without input and commits it together with its cursor."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from django.db import transaction
from django.db.models import F

from categories.contract import Effects, Page, PageAction, StopTask
from categories.contract.outcomes import WrittenRows
from categories.contract.rows import OutputShape
from categories.errors import RowTimedOut
from categories.running import database_waits
from categories.running.cursors import find_cursor_problem
from categories.running.failures import storable
from categories.running.time_limit import time_limit
from piston.database.swallowed_errors import refuse_swallowed
from tasks_app.csv_files.writing import encode_rows
from tasks_app.errors import ActionBroken
from tasks_app.execution import ledger
from tasks_app.execution.blame import action_errors
from tasks_app.execution.ledger import Done
from tasks_app.execution.runs import Run
from tasks_app.models import Task

MAX_COUNT = 2**63 - 1  # that the database can hold


def run_page(run: Run) -> None:
    """Run one page of an action without input and commit it with its cursor."""
    if run.segment.part_count == 0:
        ask_total(run)
    writes = run.action.effects is not Effects.NONE
    guard: AbstractContextManager[Any] = transaction.atomic() if writes else nullcontext()
    with action_errors(), guard:  # PostgreSQL may check the writes at COMMIT
        if writes:
            database_waits.allow_time(run.action.row_seconds, run.claim_seconds)
        try:
            done = summarize_page(run, read_page(run))
        except StopTask as stop:
            done = Done(
                row_count=0,
                success_count=0,
                failure_count=0,
                output=b"",
                page_cursor=run.segment.page_cursor,
                was_last=False,
                cut_short=storable(stop.reason),
            )
        refuse_swallowed()
        with transaction.atomic():
            ledger.commit_batch(run.segment, done, next_size=1, claim_seconds=run.claim_seconds)
    ledger.advance(run.segment, done, next_size=1)


def ask_total(run: Run) -> None:
    """Ask the action how many rows to expect, and record the answer: clients see progress."""
    action = cast("PageAction", run.action)
    if type(action).total is PageAction.total or run.task.expected_count is not None:
        return
    try:
        with action_errors(), time_limit(action.row_seconds):
            count = action.total(run.context)
    except RowTimedOut as error:
        raise ActionBroken(f"the action failed: its total {error}") from error
    except StopTask as stop:
        raise ActionBroken(f"the action failed: its total stopped the task: {stop}") from stop
    if count is None:
        return
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MAX_COUNT:
        raise ActionBroken(storable(f"the action failed: its total is {count!r}, no row count"))
    unasked = Task.objects.running().filter(pk=run.task.pk, expected_count=None)
    unasked.update(expected_count=count, revision=F("revision") + 1)


def read_page(run: Run) -> Page:
    """Return the page at the cursor; refuse a cursor with which the task would never end."""
    action, cursor = cast("PageAction", run.action), run.segment.page_cursor
    try:
        with time_limit(action.row_seconds):
            page = action.page(cursor, run.context)
    except RowTimedOut as error:
        raise ActionBroken(f"the action failed: its page {error}") from error
    if problem := find_cursor_problem(page.cursor, last=cursor):
        raise ActionBroken(f"the action failed: its cursor {problem}")
    return page


def summarize_page(run: Run, page: Page) -> Done:
    """Return a page's output and counts for the ledger."""
    return Done(
        row_count=len(page.rows),
        success_count=len(page.rows),
        failure_count=0,
        output=write_page(run.output_shape, page),
        page_cursor=page.cursor,
        was_last=page.cursor is None,
    )


def write_page(shape: OutputShape, page: Page) -> bytes:
    """Return the lines of a page; its action may have written them already."""
    if isinstance(page.rows, WrittenRows) and shape.is_own:
        return page.rows.content
    lines = encode_rows([shape.succeeded_cells(row) for row in page.rows])
    return b"".join(line + b"\n" for line in lines)
