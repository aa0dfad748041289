"""What do a batch's outcomes look like in out.csv and failed.csv, and in the counts?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from categories.contract import Outcome, RowFailed, Succeeded
from categories.contract.rows import OutputShape
from categories.errors import UndeclaredOutput
from tasks_app.csv_files.reading import Batch
from tasks_app.csv_files.writing import encode_row, encode_rows
from tasks_app.execution.ledger import Done

LONGEST_MESSAGE = 1_000  # characters of an error cell
ABOUT_VALUES = (
    ArithmeticError,
    AssertionError,
    LookupError,
    TypeError,
    ValueError,
    UndeclaredOutput,
)
PLACE = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"]+|(?<![\w/.])/[^\s'\"/]+/[^\s'\"]*", re.IGNORECASE)


class Indeterminate(RowFailed):
    """Nobody knows whether the row's effect happened; it is not offered for sending again.

    `stop_reason` is set where the action stopped the task on this row.
    """

    was_asked = True  # False: only earlier workers asked

    def __init__(self, why: str, *, attempt_count: int = 1, stop_reason: str | None = None) -> None:
        repeated = "it was not repeated"
        if attempt_count > 1:
            repeated = f"it was sent {attempt_count} times with the same effect key"
        super().__init__(f"indeterminate: {why}; {repeated}")
        self.why = why
        self.stop_reason = stop_reason

    def after(self, attempt_count: int) -> Self:
        """Return the same about a row that was sent so many times."""
        return type(self)(self.why, attempt_count=attempt_count, stop_reason=self.stop_reason)


class Unanswered(Indeterminate):
    """No answer came, or none that says anything; asked again, the outside may give one."""

    missing: str = ""  # what the database lacks, if that is why

    def after(self, attempt_count: int) -> Self:
        """Return the same about a row that was sent so many times."""
        again = super().after(attempt_count)
        again.missing = self.missing
        return again


class Stopping(RowFailed):
    """The row on which the action stopped the task."""


@dataclass
class Written:
    """Lines of output with the counts of the input rows behind them."""

    output: bytes
    failed: bytes
    success_count: int
    failure_count: int
    indeterminate_count: int  # of those; they are not among `failed`


def describe_failure(error: BaseException) -> str:
    """Return one line for who owns the task: a row's `error` cell, or a part of its reason.

    It names no file, host or statement. An error that was not meant for the tenant shows its text
    only if it is about values; all others come from what is around the action, and say its name.
    """
    if isinstance(error, RowFailed):
        return str(error)[:LONGEST_MESSAGE]
    kind = type(error).__name__
    if isinstance(error, OSError) or not isinstance(error, ABOUT_VALUES):
        return f"{kind}: the details are in the log"
    return f"{kind}: {PLACE.sub('…', str(error))}"[:LONGEST_MESSAGE]


def describe_fully(error: BaseException) -> str:
    """Return one line for staff."""
    return f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]


def storable(text: str) -> str:
    """Return a plugin's text as any database can keep it: PostgreSQL refuses NUL and surrogates."""
    kept = text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()
    return kept[:LONGEST_MESSAGE]


def stop_reason(outcome: Outcome) -> str | None:
    """Return why the action stopped the task on this row; None: it did not."""
    if isinstance(outcome, Stopping):
        return storable(outcome.message)
    if isinstance(outcome, Indeterminate) and outcome.stop_reason is not None:
        return storable(outcome.stop_reason)
    return None


def write_rows(shape: OutputShape, batch: Batch, outcomes: Sequence[Outcome]) -> Written:
    """Return the lines for the first `len(outcomes)` rows of a batch.

    An input row has one line per output row, at least one; the input's columns
    are the raw bytes of its line, so they come back byte for byte.
    """
    if all(map(_is_silent, outcomes)) and shape.keeps_input:
        return _write_silent_rows(shape, batch.lines[: len(outcomes)])
    lines: list[bytes] = []  # of the input, for each line of the output
    places: list[int] = []  # of what is added to it, among
    added: list[list[str]] = []
    place_of: dict[int, int] = {}  # by id of the outcome: an action may answer one for many rows
    failed: list[bytes] = []
    failure_count = indeterminate_count = 0
    for line, cells, outcome in zip(batch.lines, batch.cells, outcomes, strict=False):
        if (place := place_of.get(id(outcome))) is not None:
            lines.append(line)
            places.append(place)
        elif isinstance(outcome, Succeeded):
            if len(outcome.rows) == 1 and shape.keeps_input:
                place_of[id(outcome)] = len(added)
            for row in outcome.rows or ((),):
                lines.append(line)
                places.append(len(added))
                added.append(shape.succeeded_cells(row, cells))
        else:
            lines.append(line)
            places.append(len(added))
            added.append(shape.failed_cells(describe_failure(outcome), cells))
            failure_count += 1
            if isinstance(outcome, Indeterminate):
                indeterminate_count += 1
            else:
                failed.append(line + b"\n")
    endings = [ending + b"\n" for ending in encode_rows(added)]
    if shape.keeps_input:
        output = b"".join([b"%b,%b" % (line, endings[at]) for line, at in zip(lines, places)])  # noqa: B905
    else:
        output = b"".join(endings)
    return Written(
        output=output,
        failed=b"".join(failed),
        success_count=len(outcomes) - failure_count,
        failure_count=failure_count,
        indeterminate_count=indeterminate_count,
    )


def _is_silent(outcome: Outcome) -> bool:
    """Say whether the row succeeded without output."""
    return outcome.__class__ is Succeeded and not outcome.rows


def _write_silent_rows(shape: OutputShape, lines: Sequence[bytes]) -> Written:
    """Return the lines of rows that all get the same cells: nothing but separators."""
    ending = b",%b\n" % encode_row(shape.succeeded_cells())
    output = ending.join(lines) + ending if lines else b""
    return Written(output, b"", len(lines), 0, 0)


def done_with(
    shape: OutputShape, batch: Batch, outcomes: Sequence[Outcome], *, left_count: int
) -> Done:
    """Return what the ledger needs to know of a batch.

    Outcomes may cover only its first rows; `left_count` rows of the segment had none before.
    """
    written = write_rows(shape, batch, outcomes)
    last = outcomes[-1]
    return Done(
        row_count=len(outcomes),
        success_count=written.success_count,
        failure_count=written.failure_count,
        indeterminate_count=written.indeterminate_count,
        output=written.output,
        failed=written.failed,
        next_offset=batch.end_offsets[len(outcomes) - 1],
        was_last=len(outcomes) == left_count,
        cut_short=stop_reason(last),
    )
