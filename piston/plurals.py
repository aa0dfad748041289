"""Nouns that follow a number: "0 rows", "1 row", "2 rows"."""

from __future__ import annotations


def plural(thing: str, count: int) -> str:
    """Return the noun in the form that follows the number `count`."""
    return thing if count == 1 else f"{thing}s"
