"""Encodes columns of values in the text format of PostgreSQL's COPY, a column at a time.

The driver can encode rows too, but value by value, which takes several times as long. It handles
the types that this module does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

NULL = "\\N"
# Escapes of COPY's text format; the backslash must come first, because the others contain it
ESCAPES = {
    "\\": r"\\",
    "\b": r"\b",
    "\t": r"\t",
    "\n": r"\n",
    "\v": r"\v",
    "\f": r"\f",
    "\r": r"\r",
}
NUL = "\0"  # PostgreSQL's texts cannot hold it; the driver raises the error


def write_columns(columns: Sequence[Sequence[Any]]) -> bytes | None:
    """Return the encoded rows of these columns; None if only the driver can encode a column."""
    texts: list[Sequence[str]] = []
    for values in columns:
        written = write_column(values)
        if written is None:
            return None
        texts.append(written)
    return ("\n".join(map("\t".join, zip(*texts, strict=True))) + "\n").encode()


def write_column(values: Sequence[Any]) -> Sequence[str] | None:
    """Return the encoded values of a column, all of one type; None as in `write_columns`."""
    kind = find_kind(values)
    if kind is None:
        return None
    distinct = set(values)
    has_nulls = None in distinct
    different = list(distinct - {None})
    if kind is str:
        joined = NUL.join(different)
        if joined.count(NUL) > max(len(different) - 1, 0):
            return None
        escaped = escape(joined)  # the whole column at once
        if escaped == joined and not has_nulls:
            return values
        written = escaped.split(NUL)
    else:
        written = list(map(WRITERS[kind], different))
    texts = dict(zip(different, written, strict=False)) | {None: NULL}
    return [texts[value] for value in values]


def find_kind(values: Iterable[Any]) -> type | None:
    """Return the one type of the values, leaving NULLs aside; None if it is not in WRITERS."""
    kinds = {str if issubclass(kind, str) else kind for kind in set(map(type, values))}
    kinds.discard(type(None))
    kind = next(iter(kinds), str)
    return kind if len(kinds) < 2 and kind in WRITERS else None


def escape(text: str) -> str:
    """Return a text with COPY's escapes."""
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
