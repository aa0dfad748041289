"""Calls an action with external effects, and interprets its answer as an outcome."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from typing import Any

from django.db import connection

from categories.contract import (
    Context,
    Outcome,
    RetryLater,
    Row,
    RowAction,
    RowFailed,
    StopTask,
    Succeeded,
)
from categories.errors import RowTimedOut
from categories.running.failure_log import log_row
from categories.running.failures import (
    Indeterminate,
    ToldToWait,
    Unanswered,
    describe_failure,
)
from categories.running.time_limit import time_limit
from piston.database import database_errors, table_faults
from piston.database.swallowed_errors import find_swallowed

MAX_ASKED_SECONDS = 1e9  # about 30 years: a database cannot add much more to a time
UNREADABLE_SECONDS = 60.0  # the pause for RetryLater with something that is no number
DIED = "a worker died, or lost the database, while it was being sent"


def call(action: RowAction, context: Context, row: Row, number: int, key: str) -> Outcome:
    """Call the action for a row that is in the journal; return its outcome."""
    try:
        with time_limit(action.row_seconds):
            answer = action.process(row, replace(context, effect_key=key))
    except Exception as error:  # noqa: BLE001 - any exception of a plugin means no answer
        if isinstance(error, RowTimedOut):
            connection.close()  # the alarm may have interrupted a query
        return outcome_of_error(error, context, number)
    finally:
        if find_swallowed():
            connection.close()  # the action left it unusable; its outcome must still be written
    return outcome_of(answer)


def outcome_of(answer: object) -> Outcome:
    """Return the outcome in an answer; an answer of another type is indeterminate."""
    if answer is None:
        return Succeeded()
    if not isinstance(answer, Succeeded | RowFailed):
        kind = type(answer).__name__
        return Indeterminate(f"the action answered with {kind}, which is no outcome")
    return answer


def outcome_of_error(error: Exception, context: Context, number: int) -> Outcome:
    """Return the outcome for an exception: only RowFailed means a certain failure.

    An action may call the outside before it stops the task. Any other exception means no answer.
    """
    if isinstance(error, RowFailed):
        return error
    if isinstance(error, StopTask):
        why = f"the action stopped the task: {error}"
        return Indeterminate(why, stop_reason=error.reason)
    if isinstance(error, RowTimedOut):
        return Unanswered(str(error))
    if isinstance(error, RetryLater):
        return ToldToWait(f"the service {error}", seconds=valid_pause(error.seconds))
    log_row("A row has no answer", context.task_id, number, error)
    unanswered = Unanswered(describe_failure(error))
    unanswered.missing = table_faults.find_fault(error)
    if database_errors.is_missing(error):
        unanswered.missing = database_errors.describe(error)
    return unanswered


def valid_pause(seconds: Any) -> float:
    """Return a plugin's number of seconds as one that a database can add to a time."""
    try:
        number = float(seconds)  # a header's text, too
    except (TypeError, ValueError, OverflowError):
        return UNREADABLE_SECONDS
    return UNREADABLE_SECONDS if isnan(number) else min(max(number, 0.0), MAX_ASKED_SECONDS)


def qualify(outcome: Outcome, attempt_count: int) -> Outcome:
    """Return the outcome of a row that was sent before without an answer.

    A success covers all attempts, because they had the same effect key. A refusal covers only the
    last attempt: an earlier one may have taken effect, and may be the reason for the refusal.
    """
    if isinstance(outcome, Indeterminate):
        return outcome.after(attempt_count)
    if isinstance(outcome, RowFailed):
        why = f"an earlier attempt had no answer, the last one was refused ({outcome})"
        return Indeterminate(why, attempt_count=attempt_count)
    return outcome
