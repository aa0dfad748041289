"""The actions `list` and `list_all`, which list the numbers of accounts page by page."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.db.models import F, Func, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.lookups import GreaterThan

from categories.columns import Column
from categories.contract import JSON, Cells, Context, Page, PageAction
from categories.contract.outcomes import WrittenRows
from categories.database.copy_out import FIRST_ROWS, copy_out, next_page_rows
from categories.number_management.columns import FEATURES, NUMBER_COLUMNS
from categories.number_management.models import PhoneNumber, PhoneNumberQuerySet
from categories.number_management.output import number_texts
from categories.number_management.records import STORED, make_record

WRITTEN = (
    "number",
    "account__name",
    "account_id",
    "previously_assigned_to",
    "state",
    "created_at",
    "modified_at",
    "used_by",
    "ported_in",
    "carrier_module",
)


def feature_text(path: Sequence[str]) -> Func:
    """Return the text at a path of the features, in PostgreSQL: faster than Django's lookup."""
    steps = [*(f"-> '{word}'" for word in path[:-1]), f"->> '{path[-1]}'"]
    return Func(
        F("features"), template=f"(%(expressions)s {' '.join(steps)})", output_field=TextField()
    )


CELLS: dict[Column[Any], Combinable] = dict(
    zip(
        NUMBER_COLUMNS,
        [*map(F, WRITTEN), *(feature_text(path) for _, path in FEATURES)],
        strict=True,
    )
)


class Listing(PageAction, abstract=True):
    """Pages of numbers, in the order of an index.

    The cursor holds the end of the last page and the next page's size. So numbers that are added
    or deleted meanwhile cannot make others disappear or repeat.
    """

    output = NUMBER_COLUMNS
    order: ClassVar[Sequence[str]]  # the fields by which numbers are sorted

    @abstractmethod
    def select(self, context: Context) -> PhoneNumberQuerySet:
        """Return the numbers to list."""

    def page(self, cursor: JSON | None, context: Context) -> Page:
        """Return the next numbers after the cursor."""
        numbers = self.select(context).using(context.database).order_by(*self.order)
        *before, size = cursor or [FIRST_ROWS]
        if before:
            place = as_one(map(F, self.order))
            numbers = numbers.filter(GreaterThan(place, as_one(map(Value, before))))
        rows = read_numbers(numbers[:size])
        if len(rows) < size:
            return Page(rows)
        last: Any = rows.last if isinstance(rows, WrittenRows) else rows[-1]
        ended_at = [last[WRITTEN.index(name)] for name in self.order]
        return Page(rows, [*ended_at, next_page_rows(size, rows)])


def as_one(values: Iterable[Combinable]) -> Func:
    """Return a row value of SQL, which is compared as a whole, like an index over its values."""
    return Func(*values, function="", output_field=TextField())


def read_numbers(numbers: PhoneNumberQuerySet) -> Sequence[Cells] | WrittenRows:
    """Return the cells of numbers."""
    written = copy_out(numbers, CELLS)
    return read_in_python(numbers) if written is None else written


def read_in_python(numbers: PhoneNumberQuerySet) -> Sequence[Cells]:
    """Return the cells of numbers, for a database that cannot write them."""
    return [
        number_texts(make_record(row), account_name)
        for *row, account_name in numbers.values_list(*STORED, "account__name")
    ]


class List(Listing):
    """List the numbers of the account."""

    order = ("number",)  # within a single account

    def select(self, context: Context) -> PhoneNumberQuerySet:
        """Return the account's own numbers."""
        return PhoneNumber.objects.of(context.account_id)


class ListAll(Listing):
    """List the numbers of the account and of all accounts below it."""

    order = ("account_id", "number")

    def select(self, context: Context) -> PhoneNumberQuerySet:
        """Return the numbers of the whole tree."""
        return PhoneNumber.objects.within(context.account_id)
