"""Sends external rows, journaled first, so that no crash repeats one unnoticed (design §5)."""

from __future__ import annotations

import hashlib
import logging

from django.db import transaction
from django.db.models import F

from categories.contract import Context, Outcome, Row, RowAction
from categories.running import calls
from categories.running.failures import (
    Indeterminate,
    Unanswered,
    describe_failure,
    stop_reason,
    storable,
)
from piston.database.compiled_queries import CompiledSelect, Slot
from tasks_app.csv_files.boundaries import rows_in
from tasks_app.csv_files.reading import Batch
from tasks_app.errors import ClaimLost
from tasks_app.models import Effect, EffectState, Segment, Task
from tasks_app.models.clock import database_time

logger = logging.getLogger(__name__)

MIN_PAUSE_SECONDS = 1.0  # before the second attempt of a row; doubles with each further attempt
MAX_PAUSE_SECONDS = 60.0


def effect_key(task_id: str, row_number: int) -> str:
    """Return the key of a row's effect; it stays the same across crashes and retries."""
    return hashlib.sha256(f"{task_id}/{row_number}".encode()).hexdigest()[:32]


def send(
    segment: Segment,
    action: RowAction,
    context: Context,
    row: Row,
    batch: Batch,
    *,
    claim_seconds: float,
) -> Outcome:
    """Journal the one row of a batch, send it, and return its outcome.

    A row found in the journal was sent before, and its answer is unknown. An idempotent action
    sends it again with the same key, within its limits of attempts and time; otherwise the row is
    `Indeterminate`. Raises ClaimLost, with nothing sent, when this worker may no longer send it.
    """
    number = segment.cursor_row + 1
    key = effect_key(segment.task_id, number)
    earlier = find_unanswered(segment)
    if earlier is not None and not may_be_repeated(earlier, action):
        return unknown(earlier)
    journal(segment, number, key, seconds=action.row_seconds + claim_seconds, batch=batch)
    outcome = calls.call(action, context, row, number, key)
    return outcome if earlier is None else calls.qualify(outcome, earlier.attempt_count + 1)


def unwritable(outcome: Outcome, error: Exception) -> Indeterminate:
    """Return the outcome of a sent row whose answer a working database cannot store."""
    why = f"it was sent, but the answer cannot be written ({describe_failure(error)})"
    return Indeterminate(why, stop_reason=stop_reason(outcome))


# ---- The journal ---------------------------------------------------------------------------------


def find_unanswered(segment: Segment) -> Effect | None:
    """Return the journal's entry of the next row; None when it was never sent."""
    for found in JOURNAL.fetch(task_id=segment.task_id, row_number=segment.cursor_row + 1):
        return found
    return None


def find_line(effect: Effect) -> Batch | None:
    """Return the row as it was read before it was sent; None if an older release sent it."""
    kept = Effect.objects.filter(pk=effect.pk).defer(None).first()
    if kept is None or kept.input_line is None or kept.input_end_offset is None:
        return None
    line = bytes(kept.input_line)
    cells, _, _ = next(rows_in(line, is_last=True))
    return Batch([line], [cells], [kept.input_end_offset], is_last=False)


def may_be_repeated(effect: Effect, action: RowAction, *, in_seconds: float = 0) -> bool:
    """Say whether a row without an answer may be sent again, `in_seconds` from now."""
    if not action.idempotent or effect.attempt_count >= action.max_attempts:
        return False
    in_time = database_time(in_seconds - action.retry_seconds)
    return Effect.objects.filter(pk=effect.pk, sent_at__gt=in_time).exists()


def unknown(effect: Effect, why: str = "") -> Indeterminate:
    """Return the outcome of a row that was sent and whose answer will never be known."""
    outcome = Indeterminate(
        why or effect.last_error or calls.DIED, attempt_count=effect.attempt_count
    )
    outcome.was_asked = False
    return outcome


def found_nothing_missing(outcome: Outcome) -> bool:
    """Say whether a sent row needed nothing that the database lacks."""
    if isinstance(outcome, Unanswered) and outcome.missing:
        return False
    return not isinstance(outcome, Indeterminate) or outcome.was_asked


def poison_outcome(segment: Segment, why: str) -> Indeterminate:
    """Return the outcome of a poison row, which may have killed its worker before the journal."""
    effect = find_unanswered(segment)
    return unknown(effect, why) if effect else Indeterminate(why)


@transaction.atomic
def journal(segment: Segment, number: int, key: str, *, seconds: float, batch: Batch) -> None:
    """Record that the row is about to be sent, and hold the claim for as long as that may take.

    The attempt is counted before it starts, so an attempt that kills its worker counts. The row's
    line is kept: without an answer, it must go to out.csv even if the input is lost meanwhile.
    """
    running = Task.objects.running().filter(pk=segment.task_id)
    if not running.update(
        revision=F("revision")
    ):  # locks the row: a stop comes either before or after
        raise ClaimLost
    segment.hold(seconds)
    sent = {
        "claim": segment.claim,
        "input_line": batch.lines[0],
        "input_end_offset": batch.end_offsets[0],
    }
    found = Effect.objects.filter(task=segment.task_id, row_number=number)
    if found.update(attempt_count=F("attempt_count") + 1, last_error="", **sent):
        return
    Effect.objects.create(
        task_id=segment.task_id,
        row_number=number,
        key=key,
        input_offset=segment.cursor_offset,
        **sent,
    )


@transaction.atomic
def postpone(segment: Segment, action: RowAction, unanswered: Unanswered) -> float | None:
    """Schedule a retry of a row without an answer; return in how many seconds it is due.

    None when the row may not be sent again or its task no longer runs. The pauses double. The
    time of the retry is stored, so that every worker keeps to it.
    """
    running = Task.objects.running().filter(pk=segment.task_id)
    if not running.update(revision=F("revision")):  # locks the row, as above
        return None
    effect = find_unanswered(segment)
    if effect is None:
        return None
    doublings = min(effect.attempt_count - 1, 30)
    seconds = min(MIN_PAUSE_SECONDS * 2.0**doublings, MAX_PAUSE_SECONDS)
    if not may_be_repeated(effect, action, in_seconds=seconds):
        return None
    mine = Segment.objects.fence(segment)
    # The row has killed no worker, so its count of deaths starts again.
    if not mine.update(retry_at=database_time(seconds), suspect_row=None, suspect_trials=0):
        raise ClaimLost
    Effect.objects.filter(pk=effect.pk).update(last_error=storable(unanswered.why))
    return seconds


def record(segment: Segment, outcome: Outcome) -> None:
    """Settle the row's journal entry, in the transaction that commits its outcome.

    The line of an indeterminate row is kept until staff have settled it.
    """
    number = segment.cursor_row + 1
    if not isinstance(outcome, Indeterminate):
        Effect.objects.filter(task=segment.task_id, row_number=number).update(
            state=EffectState.DONE, input_line=None
        )
        return
    Effect.objects.update_or_create(  # a poison row may have no entry yet
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
    """Say whether a worker may still get the answer to a row of the task."""
    return bool(task.effects.sent().exists() and task.segments.all().held().exists())


JOURNAL = CompiledSelect(  # compiled: runs for every row that is sent
    lambda: Effect.objects.filter(
        task=Slot.text("task_id"), row_number=Slot.number("row_number")
    ).only("attempt_count", "last_error")
)
