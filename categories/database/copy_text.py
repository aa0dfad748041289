"""How are columns of values written as PostgreSQL's COPY reads them? A column at a time.

The driver can write rows by itself, a value at a time: that takes several times as long. What is
not known here is left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

NULL = "\\N"
# PostgreSQL: COPY, text format; the backslash first, for it is in all that follow
ESCAPES = {
    "\\": r"\\",
    "\b": r"\b",
    "\t": r"\t",
    "\n": r"\n",
    "\v": r"\v",
    "\f": r"\f",
    "\r": r"\r",
}
NUL = "\0"  # no text of PostgreSQL can have it; the driver raises the error for that


def write_columns(columns: Sequence[Sequence[Any]]) -> bytes | None:
    """Return the rows of these columns; None: one of them has values that only the driver knows."""
    texts: list[Sequence[str]] = []
    for values in columns:
        written = write_column(values)
        if written is None:
            return None
        texts.append(written)
    return ("\n".join(map("\t".join, zip(*texts, strict=True))) + "\n").encode()


def write_column(values: Sequence[Any]) -> Sequence[str] | None:
    """Return the texts of a column's values, all of one type, or None; see `write_columns`."""
    kinds = {str if issubclass(kind, str) else kind for kind in set(map(type, values))}
    has_nulls = type(None) in kinds
    kind = (kinds - {type(None)} or {str}).pop()
    if len(kinds) - has_nulls > 1 or kind not in WRITERS:
        return None
    distinct = set(values) - {None}
    if kind is str:
        joined = "".join(distinct)
        if NUL in joined:
            return None
        if not has_nulls and not any(character in joined for character in ESCAPES):
            return values
    write = WRITERS[kind]
    texts = {value: write(value) for value in distinct} | {None: NULL}
    return [texts[value] for value in values]


def escape(text: str) -> str:
    """Return a text as COPY reads it."""
    for character, written in ESCAPES.items():
        text = text.replace(character, written)
    return text


WRITERS: dict[type, Callable[[Any], str]] = {
    str: escape,
    bool: lambda value: "t" if value else "f",
    int: str,
    Decimal: str,
    datetime: datetime.isoformat,
}
