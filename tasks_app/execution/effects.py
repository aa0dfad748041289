"""How is a row sent to the outside once, and what if nobody knows whether it was? (design §5)"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

from django.db import connection, transaction
from django.db.models import F

from categories.contract import Context, Outcome, Row, RowAction, RowFailed, StopTask, Succeeded
from tasks_app.errors import ClaimLost, RowTimedOut
from tasks_app.execution.deadlines import time_limit
from tasks_app.execution.outcomes import Indeterminate, Stopping, describe_failure
from tasks_app.models import Effect, EffectState, Segment, Task
from tasks_app.models.clock import database_time

logger = logging.getLogger(__name__)


def effect_key(task_id: str, row_number: int) -> str:
    """Return the key of a row's effect: same task, same row, same key, through crash and retry."""
    return hashlib.sha256(f"{task_id}/{row_number}".encode()).hexdigest()[:32]


def send(
    segment: Segment, action: RowAction, context: Context, row: Row, *, claim_seconds: float
) -> Outcome:
    """Send one row to the outside, journaled before it goes; return what became of it.

    A row found in the journal was sent by a worker that died: an idempotent
    action sends it again with the same key, any other is `Indeterminate`.
    Raises ClaimLost, with nothing sent, when the row is no longer ours to send.
    """
    number = segment.cursor_row + 1
    key = effect_key(segment.task_id, number)
    sent_before = Effect.objects.filter(task=segment.task_id, row_number=number).exists()
    if sent_before and not action.idempotent:
        return Indeterminate("a worker died while it was being sent")
    journal(segment, number, key, seconds=action.row_seconds + claim_seconds)
    return call(action, context, row, number, key)


def call(action: RowAction, context: Context, row: Row, number: int, key: str) -> Outcome:
    """Call the action for a row that stands in the journal; return what became of it."""
    try:
        with time_limit(action.row_seconds):
            return action.process(row, replace(context, effect_key=key)) or Succeeded()
    except RowFailed as failed:
        return failed
    except StopTask as stop:
        return Stopping(stop.reason)
    except RowTimedOut as error:
        connection.close()  # the alarm may have struck in the middle of a query
        return RowFailed(str(error)) if action.idempotent else Indeterminate(str(error))
    except Exception as error:
        logger.warning("Row %s of %s failed unexpectedly", number, context.task_id, exc_info=error)
        why = describe_failure(error)
        return RowFailed(why) if action.idempotent else Indeterminate(why)


@transaction.atomic
def journal(segment: Segment, number: int, key: str, *, seconds: float) -> None:
    """Record that the row is about to be sent, and hold the claim for as long as that may take."""
    running = Task.objects.running().filter(pk=segment.task_id)
    if not running.update(revision=F("revision")):  # locks the row: a stop waits, or was before
        raise ClaimLost
    mine = Segment.objects.filter(pk=segment.pk, claim=segment.claim)
    if not mine.update(claimed_until=database_time(seconds)):
        raise ClaimLost
    Effect.objects.update_or_create(
        task_id=segment.task_id,
        row_number=number,
        defaults={
            "key": key,
            "claim": segment.claim,
            "state": EffectState.SENT,
            "input_offset": segment.cursor_offset,
        },
    )


def record(segment: Segment, outcome: Outcome) -> None:
    """Settle the journal; call it in the transaction that commits the row's outcome."""
    number = segment.cursor_row + 1
    if not isinstance(outcome, Indeterminate):
        Effect.objects.filter(task=segment.task_id, row_number=number).update(
            state=EffectState.DONE
        )
        return
    Effect.objects.update_or_create(  # a row can kill its worker before it reaches the journal
        task_id=segment.task_id,
        row_number=number,
        defaults={
            "key": effect_key(segment.task_id, number),
            "claim": segment.claim,
            "state": EffectState.INDETERMINATE,
            "input_offset": segment.cursor_offset,
        },
    )


def is_in_flight(task: Task) -> bool:
    """Is a row of the task at a worker that may still answer?"""
    return bool(task.effects.sent().exists() and task.segments.all().held().exists())
