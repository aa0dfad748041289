"""Finds the rows of a block, and those that lack a mandatory value, with the standard library.

`compiled_scan` does the same faster, but stops before any row of which it is not certain. This
module decides about such rows, and about all rows if the library was not compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from tasks_app.csv_files.boundaries import count_line_ends, rows_in
from tasks_app.csv_files.faults import find_fault
from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.missing_values import lacks_value


class RowForm(NamedTuple):
    """What each row of a file must look like."""

    width: int
    mandatory: tuple[int, ...]  # places of the mandatory columns that the header has
    limits: ScanLimits


@dataclass(slots=True)
class BlockScan:
    """The rows at the start of a block, up to the first that is incomplete or faulty."""

    used_bytes: int = 0  # up to the end of the last row, or of the blank lines after it
    row_ends: Sequence[int] = field(default_factory=list)  # behind their line ends
    unset_rows: Sequence[int] = field(default_factory=list)  # places of rows that lack a value
    line_count: int = 0  # physical lines in the used bytes


QuickScan: TypeAlias = Callable[[bytes, RowForm], BlockScan]


def scan_block(block: bytes, form: RowForm, *, is_last: bool) -> BlockScan:
    """Return the rows of `block` up to the first faulty one; `block` begins where a row begins."""
    used = 0
    row_ends: list[int] = []
    unset_rows: list[int] = []
    for cells, start, end in rows_in(block, is_last=is_last):
        if cells:
            is_long = end - start > form.limits.cell_bytes
            if len(cells) != form.width or (is_long and _has_fault(block[start:end], form)):
                break
            if lacks_value(cells, form.mandatory):
                unset_rows.append(len(row_ends))
            row_ends.append(end)
        used = end
    return BlockScan(used, row_ends, unset_rows, count_line_ends(block[:used]))


def _has_fault(row: bytes, form: RowForm) -> bool:
    fault = find_fault(row, is_last=True, limits=form.limits, offset=0, width=form.width)
    return fault is not None
