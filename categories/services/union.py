"""Which rows do the two documents of a month make? One per item that either of them has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Quantities = Mapping[str, Mapping[str, int]]  # {category: {item: quantity}}


def unite(
    bom: Quantities | None, eom: Quantities | None
) -> Iterator[tuple[str, str, int | None, int | None]]:
    """Yield (category, item, quantity at the beginning, at the end), sorted; None where unset.

    A document that is missing (None) unsets all its quantities. A category without items makes
    no row.
    """
    first, last = bom or {}, eom or {}
    for category in sorted(first.keys() | last.keys()):
        began, ended = first.get(category, {}), last.get(category, {})
        for item in sorted(began.keys() | ended.keys()):
            yield category, item, began.get(item), ended.get(item)
