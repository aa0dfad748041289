"""How is a number of things said? "0 rows", "1 row", "2 rows"."""

from __future__ import annotations


def plural(thing: str, count: int) -> str:
    """Return the noun as it stands behind the number `count`."""
    return thing if count == 1 else f"{thing}s"
