"""Finds the line of a row in out.csv, and the position of its row in failed.csv.

The journal has both offsets from when the files were assembled, and the number of bytes by which
each settled row made them longer since. So when one row's line changes its length, no recorded
offset has to be updated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Sum

from tasks_app.errors import StoredFileMissing
from tasks_app.models import CSVName, Effect, Task, TaskCSV


@dataclass(frozen=True)
class LinePosition:
    """Byte offsets of one row in the files as they are now."""

    effect: Effect
    start: int  # of its lines in out.csv
    end: int
    failed_start: int  # in failed.csv, of the row that comes next


def find_line_positions(task: Task, effects: Sequence[Effect]) -> Iterator[LinePosition]:
    """Yield the line positions of effects, which are in order of their rows.

    It reads the journal once from start to end.
    """
    grown = failed = row_number = 0
    for effect in effects:
        between = Effect.objects.with_line_position().filter(
            task=task, row_number__gte=row_number, row_number__lt=effect.row_number
        )
        sums = between.aggregate(
            grown=Sum("grown_bytes", default=0), failed=Sum("failed_bytes", default=0)
        )
        grown += sums["grown"]
        failed += sums["failed"]
        row_number = effect.row_number
        if effect.line_offset is None or effect.failed_offset is None:
            raise StoredFileMissing(f"The {effect} has no known place in out.csv.")
        start = effect.line_offset + grown
        yield LinePosition(
            effect,
            start=start,
            end=start + effect.line_bytes + effect.grown_bytes,
            failed_start=effect.failed_offset + failed,
        )


def require_stored(task: Task, name: CSVName) -> TaskCSV:
    """Return a file that the task must have; raises StoredFileMissing."""
    found = task.csvs.filter(name=name).first()
    if found is None:
        raise StoredFileMissing(f"Task {task.pk} has no {name.value}.")
    return found
