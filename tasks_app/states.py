"""The statuses of a task and the moves that are permitted between them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models


class TaskStatus(models.TextChoices):
    """What a task is doing, or how it ended; the values are the specification's."""

    PENDING = "pending"  # stored, not started
    EXECUTING = "executing"  # started; its output is not complete yet
    SUCCESS = "success"  # ended by itself: no row failed
    FAILURE = "failure"  # ended by itself: rows failed and none succeeded, or it was refused
    PARTIAL = "partial"  # ended by itself in any other way
    STOPPED = "stopped"  # a person stopped it; it cannot be started again
    INTERNAL_ERROR = "internal_error"  # the task itself broke; `reason` says how. It may be retried
    REMOVED = "removed"  # deleted and hidden; the sweeper deletes its files and rows


class Ending(models.TextChoices):
    """Why an executing task runs no more batches and waits for its output."""

    COMPLETED = "completed"  # every row has its outcome and the action's `finish` ran
    REFUSED = "refused"  # the action does not permit this account to run it
    CUT_SHORT = "cut_short"  # the action raised StopTask
    BROKEN = "broken"  # the action or the input file is gone, or the engine gave up


@dataclass(frozen=True)
class Move:
    """One permitted change of status."""

    start: TaskStatus
    end: TaskStatus
    made_by: str  # the only function that makes this move
    reason: str


FINAL = frozenset(
    {
        TaskStatus.SUCCESS,
        TaskStatus.FAILURE,
        TaskStatus.PARTIAL,
        TaskStatus.STOPPED,
        TaskStatus.INTERNAL_ERROR,
    }
)

MOVES = (
    Move(TaskStatus.PENDING, TaskStatus.EXECUTING, "lifecycle.start", "a person started it"),
    Move(TaskStatus.EXECUTING, TaskStatus.SUCCESS, "assembly.hand_over", "no row failed"),
    Move(
        TaskStatus.EXECUTING,
        TaskStatus.FAILURE,
        "assembly.hand_over",
        "no row succeeded, or the action refused the account",
    ),
    Move(
        TaskStatus.EXECUTING, TaskStatus.PARTIAL, "assembly.hand_over", "some rows did not succeed"
    ),
    Move(
        TaskStatus.EXECUTING,
        TaskStatus.INTERNAL_ERROR,
        "assembly.hand_over",
        "its action or input is gone, or it could make no progress",
    ),
    Move(TaskStatus.EXECUTING, TaskStatus.STOPPED, "lifecycle.stop", "a person stopped it"),
    Move(
        TaskStatus.INTERNAL_ERROR,
        TaskStatus.EXECUTING,
        "lifecycle.retry",
        "the cause was fixed, and rows are left",
    ),
    Move(TaskStatus.PENDING, TaskStatus.REMOVED, "lifecycle.remove", "deleted before its start"),
    *(
        Move(status, TaskStatus.REMOVED, "lifecycle.remove", "deleted or expired after its end")
        for status in sorted(FINAL)
    ),
)

ENTERED_FROM: dict[TaskStatus, frozenset[TaskStatus]] = {
    status: frozenset(move.start for move in MOVES if move.end == status) for status in TaskStatus
}


def final_status(
    ending: Ending, *, success_count: int, failure_count: int, left_count: int
) -> TaskStatus:
    """Return the status in which a task ends (spec/decisions.md §4).

    `left_count` is the number of rows without an outcome.
    """
    if ending == Ending.BROKEN:
        return TaskStatus.INTERNAL_ERROR
    if not success_count and (failure_count or ending == Ending.REFUSED):
        return TaskStatus.FAILURE
    if failure_count or left_count or ending in {Ending.CUT_SHORT, Ending.REFUSED}:
        return TaskStatus.PARTIAL
    return TaskStatus.SUCCESS
