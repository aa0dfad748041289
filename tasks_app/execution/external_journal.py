"""Keeps the journal of external rows: which were sent, what is known, when one is sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import groupby
from time import monotonic

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from categories.contract import RowAction
from categories.running.failures import Indeterminate, ToldToWait, storable
from piston.database.compiled_queries import CompiledSelect, CompiledUpdate, Slot
from tasks_app.csv_files.boundaries import rows_in
from tasks_app.csv_files.reading import Batch
from tasks_app.execution import breaker
from tasks_app.execution.external_rows import ExternalRow
from tasks_app.execution.out_and_failed_csv import Written
from tasks_app.models import Effect, EffectState, Segment, SettledAs
from tasks_app.models.clock import database_time
from tasks_app.models.effect import UNRECORDED


def effect_key(task_id: str, row_number: int) -> str:
    """Return the key of a row's effect; it stays the same across crashes and retries."""
    return hashlib.sha256(f"{task_id}/{row_number}".encode()).hexdigest()[:32]


# ---- Reading -------------------------------------------------------------------------------------


def read(segment: Segment, row_count: int) -> dict[int, Effect]:
    """Return the entries of the segment's next rows, by number; each has the database's clock."""
    before = segment.cursor_row
    found = JOURNAL.fetch(task_id=segment.task_id, before=before, last=before + row_count)
    return {entry.row_number: entry for entry in found}


def find_line(effect: Effect) -> Batch | None:
    """Return the row as it was read before it was sent; None if an older release sent it."""
    kept = Effect.objects.filter(pk=effect.pk).defer(None).first()
    return line_of(kept) if kept else None


def line_of(effect: Effect) -> Batch | None:
    """Return the row in an entry that was read with its line."""
    if effect.input_line is None or effect.input_end_offset is None:
        return None
    line = bytes(effect.input_line)
    cells, _, _ = next(rows_in(line, is_last=True))
    return Batch([line], [cells], [effect.input_end_offset], is_last=False)


# ---- Before a group is sent ----------------------------------------------------------------------


@transaction.atomic
def write(
    segment: Segment,
    action: RowAction,
    rows: Sequence[ExternalRow],
    chosen: Sequence[ExternalRow],
    *,
    seconds: float,
) -> breaker.Admission:
    """Record that the chosen rows are about to be sent, and hold the claim for that long.

    Each attempt is counted before it starts, so an attempt that kills its worker counts. The rows'
    lines are kept: without an answer, a row must go to out.csv even if the input is lost
    meanwhile. So are the lines of rejected rows between them, which then enter it in their place.
    Raises ClaimLost, with nothing recorded, when this worker may no longer send.
    """
    admission = breaker.admit(segment.task, action, seconds)
    if admission is breaker.Admission.NONE:
        return admission
    segment.hold(seconds)
    chosen = chosen[:1] if admission is breaker.Admission.ONE else chosen
    known = [row for row in chosen if row.entry]
    if known:
        Effect.objects.filter(pk__in=[row.entry.pk for row in known if row.entry]).update(
            attempt_count=F("attempt_count") + 1, state=EffectState.SENT, **last_sent(segment)
        )
    new = [row for row in rows if row.entry is None and row.number <= chosen[-1].number]
    entries = Effect.objects.bulk_create(new_entry(segment, row) for row in new)
    for row, entry in zip(new, entries, strict=True):
        row.entry, row.first_sent = entry, monotonic()
    for row in known:
        row.entry.attempt_count += 1  # type: ignore[union-attr]
    for row in chosen:
        row.was_sent = True
    return admission


def last_sent(segment: Segment) -> dict[str, object]:
    """Return what changes with each attempt."""
    return {"claim": segment.claim, "last_error": "", "retry_at": None}


def new_entry(segment: Segment, row: ExternalRow) -> Effect:
    """Return the first entry of a row: it is about to be sent, or its columns rejected it."""
    entry = Effect(
        task_id=segment.task_id,
        row_number=row.number,
        key=effect_key(segment.task_id, row.number),
        claim=segment.claim,
        input_line=row.read.batch.lines[0],
        input_end_offset=row.read.end_offset,
        input_offset=row.read.offset,
    )
    if row.written is not None:
        entry.attempt_count = 0
        set_lines(entry, row.written)
    return entry


def set_lines(entry: Effect, written: Written) -> None:
    """Set in an entry that its row's lines are known."""
    entry.state = EffectState.KNOWN
    entry.output, entry.failed = written.output, written.failed
    entry.settled_as = settled_as(written)
    entry.retry_at = None


def settled_as(written: Written) -> SettledAs:
    """Return how to count a row with these lines."""
    if written.indeterminate_count:
        return SettledAs.INDETERMINATE
    return SettledAs.FAILED if written.failure_count else SettledAs.SUCCEEDED


# ---- After a group was sent; in the transaction of its outcomes ----------------------------------


def keep(rows: Iterable[ExternalRow]) -> None:
    """Keep the lines of rows until the rows before them have theirs."""
    entries = []
    for row in rows:
        if row.entry is not None and row.written is not None:
            set_lines(row.entry, row.written)
            entries.append(row.entry)
    if entries:
        fields = ["state", "output", "failed", "settled_as", "retry_at"]
        Effect.objects.bulk_update(entries, fields, batch_size=50)


def postpone(rows: Iterable[ExternalRow]) -> None:
    """Record when rows are sent again. An attempt that was told to wait does not count."""
    for (pause, is_told, why), group in groupby(rows, key=postponement):
        keys = [row.entry.pk for row in group if row.entry]
        changes = {"last_error": storable(why), "retry_at": database_time(pause)}
        found = Effect.objects.filter(pk__in=keys)
        if is_told:
            found.filter(attempt_count__lte=1).update(state=EffectState.WAITING)
            found.update(attempt_count=F("attempt_count") - 1)
        found.update(**changes)


def postponement(row: ExternalRow) -> tuple[float, bool, str]:
    """Return the pause of a row, and why."""
    why = row.outcome.why if isinstance(row.outcome, Indeterminate) else ""
    return row.pause or 0.0, isinstance(row.outcome, ToldToWait), why


def record(segment: Segment, rows: Sequence[ExternalRow]) -> None:
    """Settle the entries of rows whose outcomes this transaction commits.

    The line of an indeterminate row is kept until staff have settled it. The
    entry of a row that certainly had no effect is deleted.
    """
    known = [row for row in rows if row.entry and not row.is_indeterminate]
    if unsent := [row.entry.pk for row in known if row.entry and not row.attempt_count]:
        Effect.objects.filter(pk__in=unsent).delete()
    for row in rows:
        if not row.is_indeterminate:
            continue
        Effect.objects.update_or_create(  # a poison row may have no entry yet
            task_id=segment.task_id,
            row_number=row.number,
            defaults={
                "key": effect_key(segment.task_id, row.number),
                "claim": segment.claim,
                "state": EffectState.INDETERMINATE,
                "input_offset": row.read.offset,
                **NOTHING_KEPT,
            },
        )
    if known:
        first, last = known[0].number, known[-1].number
        RECORD_DONE.run(task_id=segment.task_id, first=first, last=last)


NOTHING_KEPT = {"output": b"", "failed": b"", "settled_as": "", "retry_at": None}

READ = (
    *("row_number", "state", "attempt_count", "last_error", "sent_at", "retry_at"),
    *("settled_as", "output", "failed"),
)
RECORD_DONE = CompiledUpdate(  # compiled: runs for every group that is recorded
    lambda: Effect.objects.filter(
        task=Slot.text("task_id"),
        row_number__gte=Slot.number("first"),
        row_number__lte=Slot.number("last"),
        state__in=UNRECORDED,
    ),
    **{**NOTHING_KEPT, "state": EffectState.DONE, "input_line": None},
)
JOURNAL = CompiledSelect(  # compiled: runs for every group that is sent
    lambda: (
        Effect.objects.filter(
            task=Slot.text("task_id"),
            row_number__gt=Slot.number("before"),
            row_number__lte=Slot.number("last"),
        )
        .annotate(clock=Now())
        .only(*READ)
        .order_by("row_number")
    )
)
