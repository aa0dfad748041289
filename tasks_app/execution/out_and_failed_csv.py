"""Turns a batch's outcomes into lines of out.csv and failed.csv, and into counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from categories.contract import Outcome, Succeeded
from categories.contract.rows import OutputShape
from categories.running.failures import Indeterminate, describe_failure, stop_reason
from tasks_app.csv_files.reading import Batch
from tasks_app.csv_files.writing import encode_row, encode_rows
from tasks_app.execution.ledger import Done


@dataclass
class Written:
    """Lines of output with the counts of the input rows behind them."""

    output: bytes
    failed: bytes
    success_count: int
    failure_count: int
    indeterminate_count: int  # of those; they are not among `failed`


def write_rows(shape: OutputShape, batch: Batch, outcomes: Sequence[Outcome]) -> Written:
    """Return the lines for the first `len(outcomes)` rows of a batch.

    An input row has at least one line, and one per output row. Its columns are the raw bytes,
    unless a result is filled in among them.
    """
    if all(map(_is_silent, outcomes)) and shape.keeps_line:
        return _write_silent_rows(shape, batch.lines[: len(outcomes)])
    lines: list[bytes] = []  # of the input, for each line of the output
    places: list[int] = []  # for each line, the index of its added cells
    added: list[list[str]] = []
    place_of: dict[int, int] = {}  # by id of the outcome: one outcome may serve many rows
    failed: list[bytes] = []
    indeterminate_count = 0
    for line, cells, outcome in zip(batch.lines, batch.cells, outcomes, strict=False):
        if (place := place_of.get(id(outcome))) is not None:
            lines.append(line)
            places.append(place)
        elif isinstance(outcome, Succeeded):
            if len(outcome.rows) == 1 and shape.keeps_line:
                place_of[id(outcome)] = len(added)
            for row in outcome.rows or ((),):
                lines.append(line)
                places.append(len(added))
                added.append(shape.succeeded_cells(row, cells))
        else:
            lines.append(line)
            places.append(len(added))
            added.append(shape.failed_cells(describe_failure(outcome), cells))
            if isinstance(outcome, Indeterminate):
                indeterminate_count += 1
            else:
                failed.append(line + b"\n")
    failure_count = indeterminate_count + len(failed)
    return Written(
        output=_join(shape, lines, places, added),
        failed=b"".join(failed),
        success_count=len(outcomes) - failure_count,
        failure_count=failure_count,
        indeterminate_count=indeterminate_count,
    )


def _join(
    shape: OutputShape, lines: Sequence[bytes], places: Sequence[int], added: Sequence[list[str]]
) -> bytes:
    """Return each line with the added cells at its place, or the added cells as whole lines."""
    endings = [ending + b"\n" for ending in encode_rows(added)]
    if not shape.keeps_line:
        return b"".join(endings)
    return b"".join([b"%b,%b" % (line, endings[at]) for line, at in zip(lines, places)])  # noqa: B905


def _is_silent(outcome: Outcome) -> bool:
    """Say whether the row succeeded without output."""
    return outcome.__class__ is Succeeded and not outcome.rows


def _write_silent_rows(shape: OutputShape, lines: Sequence[bytes]) -> Written:
    """Return the lines of rows whose added cells are all empty."""
    ending = b",%b\n" % encode_row(shape.succeeded_cells())
    output = ending.join(lines) + ending if lines else b""
    return Written(output, b"", len(lines), 0, 0)


def summarize(
    shape: OutputShape, batch: Batch, outcomes: Sequence[Outcome], *, left_count: int
) -> Done:
    """Return a batch's output and counts for the ledger.

    `outcomes` may cover only its first rows. `left_count` is the number of the segment's rows that
    had no outcome before.
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
