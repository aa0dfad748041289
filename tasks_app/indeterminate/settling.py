"""Writes settled rows into the files and the counts, in one transaction that is safe to repeat."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import F, Subquery
from django.db.models.functions import Length

from piston.plurals import plural
from tasks_app import events, quotas
from tasks_app.errors import ClaimLost
from tasks_app.execution.assembly import RenewingStream
from tasks_app.files import storage, task_files
from tasks_app.files.task_files import Range
from tasks_app.indeterminate.answers import UNDECIDED
from tasks_app.indeterminate.line_positions import LinePosition, find_line_positions
from tasks_app.models import (
    CSVName,
    Effect,
    EffectState,
    EventKind,
    Part,
    SettledAs,
    Task,
    TaskCSV,
)
from tasks_app.models.clock import database_time

KEEP_OLD_SECONDS = 3_600.0  # for a replaced file, so that running downloads can finish

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Edit:
    """A replacement of the bytes from `start` up to `end`."""

    start: int
    end: int
    new: Range


def rewrite(task: Task, most: int) -> None:
    """Write answered rows into the task's files and counts, all at once; raises ClaimLost.

    A worker that dies in the middle leaves only files that no task refers to.
    """
    answered = (
        task.effects.filter(state=EffectState.ANSWERED)
        .defer("output", "failed")
        .annotate(output_bytes=Length("output"), failed_line_bytes=Length("failed"))
        .order_by("row_number")
    )
    effects = list(answered[:most])
    if not effects:
        return
    positions = list(find_line_positions(task, effects))
    written = [write_output(task, positions)]
    if any(effect.settled_as == SettledAs.FAILED for effect in effects):
        written.append(write_failed(task, positions))
    swap_files(task, effects, written)


def write_output(task: Task, positions: Iterable[LinePosition]) -> TaskCSV:
    """Write out.csv with the new lines; the file has no task yet."""
    edits = [
        Edit(position.start, position.end, answer_range(position.effect, "output"))
        for position in positions
    ]
    return write_file(task, CSVName.OUTPUT, edits)


def write_failed(task: Task, positions: Iterable[LinePosition]) -> TaskCSV:
    """Write failed.csv with the newly failed rows, in the order of the input."""
    edits = [
        Edit(position.failed_start, position.failed_start, answer_range(position.effect, "failed"))
        for position in positions
        if position.effect.settled_as == SettledAs.FAILED
    ]
    csv_file = write_file(task, CSVName.FAILED, edits)
    csv_file.row_count += len(edits)
    return csv_file


def write_file(task: Task, name: CSVName, edits: Iterable[Edit]) -> TaskCSV:
    """Write a new version of a task's file with edits; a new file starts with the header."""
    old = task.csvs.filter(name=name).first()
    if old is None:
        content = task_files.literal_range(task_files.header_line(task, name))
    else:
        content = task_files.stored_range(old, 0, old.size_bytes)
    whole = task_files.DownloadableFile(name, "", tuple(edited(content, edits)))
    csv_file = storage.reserve(task.pk, name)
    renew = partial(Task.objects.assembled().renew, task, settings.PISTON_CLAIM_SECONDS)
    storage.save(csv_file, RenewingStream(whole.read(), renew), while_storing=renew)
    csv_file.row_count = old.row_count if old else 0
    return csv_file


def edited(content: Range, edits: Iterable[Edit]) -> Iterator[Range]:
    """Yield the ranges that make up a file after its edits, which are in order."""
    offset = 0
    for edit in edits:
        yield part_of(content, offset, edit.start)
        yield edit.new
        offset = edit.end
    yield part_of(content, offset, content.size)


def part_of(content: Range, start: int, end: int) -> Range:
    """Return a range over the bytes from `start` up to `end` of another range."""
    return Range(end - start, lambda first, last: content.read(start + first, start + last))


def answer_range(effect: Effect, column: str) -> Range:
    """Return a range over the lines of an answer; it loads them only when they are written."""
    size: int = effect.output_bytes if column == "output" else effect.failed_line_bytes  # type: ignore[attr-defined]

    def read(first: int, last: int) -> Iterator[bytes]:
        lines = Effect.objects.filter(pk=effect.pk).values_list(column, flat=True).first()
        if lines is None:  # the task was removed, and purged at once
            raise ClaimLost
        yield bytes(lines)[first:last]

    return Range(size, read)


@transaction.atomic
def swap_files(task: Task, effects: Sequence[Effect], written: list[TaskCSV]) -> None:
    """Swap the files, adjust the counts and settle the effects, in one transaction.

    The task's status does not change: it is the outcome of the run, and is final.
    """
    results = [effect.settled_as for effect in effects]
    succeeded, failed = results.count(SettledAs.SUCCEEDED), results.count(SettledAs.FAILED)
    moved = Task.objects.assembled().release(
        task,
        success_count=F("success_count") + succeeded,
        failure_count=F("failure_count") - succeeded,
        indeterminate_count=F("indeterminate_count") - succeeded - failed,
        revision=F("revision") + 1,
    )
    if not moved:
        raise ClaimLost
    for csv_file in written:
        swap(task, csv_file)
    for effect in effects:
        settle(task, effect)
    quotas.recount_files(task)
    rows = f"{len(effects)} {plural('row', len(effects))}"
    logger.info("Settled: %s of task %s", rows, task.pk)


def swap(task: Task, csv_file: TaskCSV) -> None:
    """Give the task a file instead of its old one of that name, which is deleted later."""
    task.csvs.filter(name=csv_file.name).update(
        task=None, kept_until=database_time(KEEP_OLD_SECONDS), is_given_up=True
    )
    free = TaskCSV.objects.unfinished().filter(pk=csv_file.pk)
    if not free.update(task=task, kept_until=None, row_count=csv_file.row_count):
        raise ClaimLost


def change_part(task: Task, effect: Effect) -> None:
    """Write a row's answer into its part, if the task has kept its parts for a retry."""
    answer = Effect.objects.filter(pk=effect.pk)
    succeeded = int(effect.settled_as == SettledAs.SUCCEEDED)
    Part.objects.filter(task=task, first_row=effect.row_number).update(
        success_count=succeeded,
        failure_count=1 - succeeded,
        output=Subquery(answer.values("output")),
        output_bytes=effect.output_bytes,  # type: ignore[attr-defined]
        failed=Subquery(answer.values("failed")),
        failed_bytes=effect.failed_line_bytes,  # type: ignore[attr-defined]
    )


def settle(task: Task, effect: Effect) -> None:
    """Record that a row's answer is in the files."""
    is_unknown = effect.settled_as == SettledAs.INDETERMINATE
    state = EffectState.INDETERMINATE if is_unknown else EffectState.DONE
    change_part(task, effect)
    Effect.objects.filter(pk=effect.pk).update(
        state=state,
        grown_bytes=Length("output") - F("line_bytes"),
        failed_bytes=Length("failed"),
        output=b"",
        failed=b"",
        **(UNDECIDED if is_unknown else {"input_line": None}),
    )
    events.record(
        task,
        EventKind.SETTLED,
        events.SYSTEM,
        row=effect.row_number,
        decision=effect.decision,
        decided_by=effect.decided_by,
        settled_as=effect.settled_as,
    )
