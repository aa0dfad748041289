"""Commits a batch's output, counts and cursor in the same transaction as its effects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import DataError, Error, transaction
from django.db.models import Case, F, Q, TextField, Value, When
from django.db.models.functions import Coalesce

from piston import disk_reserve
from piston.database import database_errors
from piston.database.compiled_queries import CompiledUpdate, Slot
from tasks_app.errors import ClaimLost, LedgerRefused
from tasks_app.models import Part, Segment, Task
from tasks_app.models.segment import CLAIM
from tasks_app.states import Ending, TaskStatus


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a batch did: its output, its counts, and where the next one begins."""

    row_count: int
    success_count: int
    failure_count: int
    indeterminate_count: int = 0  # of the failed rows
    call_count: int = 0  # calls to the outside, for the circuit breaker
    output: bytes  # lines for out.csv
    failed: bytes = b""  # input lines for failed.csv
    next_offset: int = 0  # byte offset of the next row in in.csv
    page_cursor: Any = None  # without input: the start of the next page
    was_last: bool  # no rows or pages are left in the segment
    cut_short: str | None = None  # the reason, when the action stopped the task here
    ends_wait: bool = True  # the task no longer waits for something that the database lacks


@contextmanager
def ledger_errors() -> Iterator[None]:
    """Raise LedgerRefused when the database refuses a statement of the ledger itself.

    A database error in an action fails rows or ends the task. An error in the ledger must do
    neither, because its cause is in the database: the schema differs, a privilege is missing, or a
    sequence is exhausted. A value that does not fit still counts as the action's error.
    """
    try:
        yield
    except Error as error:
        is_of_value = isinstance(error, DataError) and not database_errors.is_missing(error)
        if is_of_value or database_errors.is_away(error):
            raise
        raise LedgerRefused(database_errors.describe(error)) from error


@ledger_errors()
def commit_batch(
    segment: Segment,
    done: Done,
    *,
    next_size: int,
    claim_seconds: float,
    also_when_stopped: bool = False,
) -> None:
    """Write the ledger's side of a batch; call it last in the transaction of the batch's effects.

    Raises DiskFull when the output does not fit, and LedgerRefused when the database rejects the
    write although it is neither unavailable, locked nor full. Raises ClaimLost when a newer claim
    exists or the task no longer runs; the caller's transaction must then roll back. So a worker
    that was paused, cut off or overtaken by a stop commits nothing. `also_when_stopped` is for an
    external row sent before the stop (design §5).
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("A batch is committed inside a transaction.")
    if not also_when_stopped:  # SQLite writes each byte twice: to its log, then to its file
        disk_reserve.check_room(2 * (len(done.output) + len(done.failed)))
    grow = GROW_UNFINISHED if also_when_stopped else GROW_RUNNING
    if not _add_counts(grow, segment, done):
        raise ClaimLost
    if not MOVE_CURSOR.run(
        segment_id=segment.pk,
        claim=segment.claim,
        row_count=done.row_count,
        next_offset=done.next_offset,
        page_cursor=done.page_cursor,
        was_last=done.was_last,
        next_size=next_size,
        held_for=timedelta(seconds=claim_seconds),
    ):
        raise ClaimLost
    Part.objects.add(_part(segment, done))


def _add_counts(grow: CompiledUpdate, segment: Segment, done: Done) -> bool:
    """Add a batch's counts to its task; False when the task no longer runs."""
    return bool(
        grow.run(
            task_id=segment.task_id,
            success_count=done.success_count,
            failure_count=done.failure_count,
            indeterminate_count=done.indeterminate_count,
            call_count=done.call_count,
            output_bytes=len(done.output) + len(done.failed),
            ending=None if done.cut_short is None else Ending.CUT_SHORT,
            reason=done.cut_short,
            ends_wait=done.ends_wait,
        )
    )


def _part(segment: Segment, done: Done) -> Part:
    return Part(
        task_id=segment.task_id,
        segment_index=segment.index,
        number=segment.part_count,
        first_row=segment.cursor_row + 1,
        row_count=done.row_count,
        success_count=done.success_count,
        failure_count=done.failure_count,
        output=done.output,
        output_bytes=len(done.output),
        failed=done.failed,
        failed_bytes=len(done.failed),
    )


def advance(segment: Segment, done: Done, *, next_size: int) -> None:
    """Update the worker's copy of the segment to match what `commit_batch` committed."""
    segment.cursor_row += done.row_count
    segment.cursor_offset = done.next_offset
    segment.page_cursor = done.page_cursor
    segment.part_count += 1
    segment.is_done = done.was_last
    segment.batch_size = next_size
    segment.idle_claims = 0
    segment.suspect_row = segment.tried_row = None


# Compiled because each external row is a batch of its own: these queries are most of its overhead.
ENDS_WAIT = Slot.boolean("ends_wait")
GROWTH = {
    "success_count": F("success_count") + Slot.number("success_count"),
    "failure_count": F("failure_count") + Slot.number("failure_count"),
    "indeterminate_count": F("indeterminate_count") + Slot.number("indeterminate_count"),
    "call_count": F("call_count") + Slot.number("call_count"),
    "output_bytes": F("output_bytes") + Slot.number("output_bytes"),
    "revision": F("revision") + 1,
    "waiting_since": Case(When(ENDS_WAIT, then=None), default=F("waiting_since")),
    "waiting_for": Case(When(ENDS_WAIT, then=Value("", TextField())), default=F("waiting_for")),
    "is_permitted": True,  # set here for an action that defines no `permitted`
    "ending": Coalesce(Slot.text("ending"), F("ending")),
    "reason": Coalesce(Slot.text("reason"), F("reason")),
}
THE_TASK = Q(pk=Slot.text("task_id"))
HAS_STARTED = Q(status=TaskStatus.EXECUTING) | Q(status=TaskStatus.STOPPED)

GROW_RUNNING = CompiledUpdate(lambda: Task.objects.running().filter(THE_TASK), **GROWTH)
GROW_UNFINISHED = CompiledUpdate(
    lambda: Task.objects.filter(THE_TASK, HAS_STARTED, is_assembled=False), **GROWTH
)
MOVE_CURSOR = CompiledUpdate(
    lambda: Segment.objects.filter(CLAIM.fence(Slot.number("segment_id"), Slot.number("claim"))),
    cursor_row=F("cursor_row") + Slot.number("row_count"),
    cursor_offset=Slot.number("next_offset"),
    page_cursor=Slot.json("page_cursor"),
    part_count=F("part_count") + 1,
    is_done=Slot.boolean("was_last"),
    batch_size=Slot.number("next_size"),
    idle_claims=0,
    suspect_row=None,
    suspect_trials=0,
    **CLAIM.renewed(Slot.duration("held_for")),
)
