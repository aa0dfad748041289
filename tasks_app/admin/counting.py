"""How many rows does a list have? Counted up to a limit: nobody waits for a count of a million."""

from __future__ import annotations

from typing import Any, cast

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

MOST_COUNTED = 10_000  # rows; older ones are reached with the filters


class CappedPaginator(Paginator):
    """Pages over the first `MOST_COUNTED` rows of a list."""

    @cached_property
    def found_count(self) -> int:
        """Count the rows, at most one more than are paged."""
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by().values("pk")[: MOST_COUNTED + 1].count()

    @cached_property
    def count(self) -> int:
        """Return how many rows the pages hold."""
        return min(self.found_count, MOST_COUNTED)

    @property
    def is_capped(self) -> bool:
        """Are there more rows than the pages hold?"""
        return self.found_count > MOST_COUNTED
