"""Chooses how many rows the next batch takes, so that a batch takes a certain time."""

from __future__ import annotations

from django.db import connection

from categories.contract import Effects
from tasks_app.execution import rate_limit
from tasks_app.execution.ledger import Done
from tasks_app.execution.poison_rows import may_hold_poison_row
from tasks_app.execution.runs import Run

# A batch should take this long. SQLite has one writer, so its batches are shorter.
BATCH_SECONDS = 0.25
BATCH_SECONDS_ON_SQLITE = 0.1
PART_BYTES = (
    8 * 2**20
)  # of output per batch at most, roughly: the batch and its part are held in memory
MAX_GROWTH = 4  # factor by which one batch may be larger or smaller than the previous one


def choose_size(run: Run) -> int:
    """Return how many rows the next batch takes."""
    slowest = rate_limit.slowest(type(run.action))
    if run.action.effects is Effects.EXTERNAL:
        return choose_group_size(run, slowest)
    size = min(run.segment.batch_size, run.action.batch_size)
    if slowest is not None:
        size = min(size, int(slowest * BATCH_SECONDS))
    return max(1, size)


def choose_group_size(run: Run, slowest: float | None) -> int:
    """Return how many external rows are sent at the same time now."""
    task = run.task
    has_trouble = task.waiting_since is not None or task.failing_since is not None
    if has_trouble or may_hold_poison_row(run.segment):
        return 1
    size = run.action.concurrency
    if slowest is not None:  # a reservation is for at most the rows of one second
        size = min(size, int(slowest))
    return max(1, size)


def is_last(run: Run) -> bool:
    """Say whether the next batch takes all rows that are left of the segment."""
    end_row = run.segment.end_row
    return end_row is not None and end_row - run.segment.cursor_row <= choose_size(run)


def next_size(run: Run, done: Done, elapsed: float) -> int:
    """Return the size of the next batch, after one that took `elapsed` seconds."""
    fitting = done.row_count * PART_BYTES / max(len(done.output), 1)
    aimed = min(fitting, done.row_count * aimed_seconds() / max(elapsed, 1e-6))
    before = run.segment.batch_size
    if may_hold_poison_row(run.segment):  # `segment` still has the values from before the batch
        return before
    return int(max(1, before / MAX_GROWTH, min(aimed, before * MAX_GROWTH, run.action.batch_size)))


def aimed_seconds() -> float:
    """Return how long a batch should take."""
    return BATCH_SECONDS_ON_SQLITE if connection.vendor == "sqlite" else BATCH_SECONDS
