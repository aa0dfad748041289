"""Which rows does a block hold, and which lack a mandatory value? With the standard library.

`compiled_scan` answers the same question sooner, and stops in front of any row of which it is not
certain. This module decides about that row, and about all rows where nothing was compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from categories.columns import is_unset
from tasks_app.csv_files.boundaries import count_line_ends, rows_in
from tasks_app.csv_files.faults import find_fault
from tasks_app.csv_files.limits import ScanLimits


class RowForm(NamedTuple):
    """What each row of a file has to be like."""

    width: int
    mandatory: tuple[int, ...]  # places of the mandatory columns that the header has
    limits: ScanLimits


@dataclass(slots=True)
class BlockScan:
    """The rows that a block begins with. It ends before a row that is incomplete or at fault."""

    used_bytes: int = 0  # up to the end of the last row, or of the blank lines after it
    row_ends: Sequence[int] = field(default_factory=list)  # their line ends included
    unset_rows: Sequence[int] = field(default_factory=list)  # places of rows that lack a value
    line_count: int = 0  # physical lines in the used bytes


QuickScan: TypeAlias = Callable[[bytes, RowForm], BlockScan]


def scan_block(block: bytes, form: RowForm, *, is_last: bool) -> BlockScan:
    """Return what `block`, which begins where a row begins, holds up to its first faulty row."""
    used = 0
    row_ends: list[int] = []
    unset_rows: list[int] = []
    for cells, start, end in rows_in(block, is_last=is_last):
        if cells:
            is_long = end - start > form.limits.cell_bytes
            if len(cells) != form.width or (is_long and _has_fault(block[start:end], form)):
                break
            for place in form.mandatory:
                if is_unset(cells[place]):
                    unset_rows.append(len(row_ends))
                    break
            row_ends.append(end)
        used = end
    return BlockScan(used, row_ends, unset_rows, count_line_ends(block[:used]))


def _has_fault(row: bytes, form: RowForm) -> bool:
    fault = find_fault(row, is_last=True, limits=form.limits, offset=0, width=form.width)
    return fault is not None
