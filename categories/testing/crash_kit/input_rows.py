"""Reads the rows that a test gives: the text of a CSV, or a mapping per row."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from categories.columns.base import find_undeclared
from categories.contract import Action
from categories.contract.rows import accepted_columns

Rows = str | Sequence[Mapping[str, Any]]  # CSV text with its header, or a mapping per row


def read_rows(action: type[Action], rows: Rows) -> tuple[list[str], list[list[str]]]:
    """Return header and cells; raise ValueError for a column that the action does not declare."""
    if isinstance(rows, str):
        header, *cells = list(csv.reader(io.StringIO(rows, newline="")))
    else:
        header = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[to_cell(row.get(name)) for name in header] for row in rows]
    unknown = find_undeclared(header, accepted_columns(action))
    if unknown:
        raise ValueError(f"{action.__name__} declares no column {', '.join(sorted(unknown))}.")
    return header, cells


def to_cell(value: Any) -> str:
    """Return a value of a test's row as the text of a cell."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
