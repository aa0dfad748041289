"""Encodes columns of values as PostgreSQL's array literals, a column at a time.

The driver can encode lists too, but value by value, which takes several times as long. It handles
the types that this module does not know.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from categories.database.copy_text import NUL, WRITERS, find_kind


def write_array(values: Collection[Any]) -> str | list[Any]:
    """Return an array literal of values of one type, or the values if only the driver can do it."""
    kind = find_kind(values)
    if kind is None:
        return list(values)
    if kind is str and None not in values:
        joined = NUL.join(values)
        if not values or joined.count(NUL) != len(values) - 1:
            return list(values)  # a text has a NUL: let the driver raise its error
        return '{"' + escape(joined).replace(NUL, '","') + '"}'
    write = escape if kind is str else WRITERS[kind]
    texts = {value: f'"{write(value)}"' for value in set(values) - {None}}
    if any(NUL in text for text in texts.values()):
        return list(values)
    return "{" + ",".join([texts.get(value, "NULL") for value in values]) + "}"


def escape(text: str) -> str:
    """Return a text with the escapes of an array literal."""
    return text.replace("\\", r"\\").replace('"', r"\"")
