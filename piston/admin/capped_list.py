"""Pages of a long list in the admin, found in one query up to a limit."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from piston.relied_on import rely_on

MAX_COUNTED_ROWS = 10_000  # the filters reach older rows


class CappedPaginator(Paginator):
    """Pages over the first `MAX_COUNTED_ROWS` rows of a list, so that a million need no count.

    The keys of these rows are read once, in the list's order. They give both the count and the
    pages. So a filter that matches hardly any row scans the table only once.
    """

    @cached_property
    def keys(self) -> list[Any]:
        """Read the keys of the rows, and one more than the pages hold."""
        rows = cast("QuerySet[Any]", self.object_list)
        return list(rows.values_list("pk", flat=True)[: MAX_COUNTED_ROWS + 1])

    @cached_property
    def count(self) -> int:
        """Return how many rows the pages hold."""
        return min(len(self.keys), MAX_COUNTED_ROWS)

    @property
    def is_capped(self) -> bool:
        """Are there more rows than the pages hold?"""
        return len(self.keys) > MAX_COUNTED_ROWS


rely_on(__name__, ChangeList, get_results="self, request")


class CappedList(ChangeList):
    """A page of a list, read by its keys."""

    def get_results(self, request: HttpRequest) -> None:
        """Choose the page, then read its rows by their keys, not by the filters again."""
        super().get_results(request)
        is_cut = self.multi_page and not self.show_all
        start = (self.page_num - 1) * self.list_per_page if is_cut else 0
        end = start + self.list_per_page if is_cut else self.result_count
        shown = cast("CappedPaginator", self.paginator).keys[start:end]
        self.result_list = self.queryset.filter(pk__in=shown)
