"""How are the numbers of accounts listed, page by page?"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from django.db.models import F, Func, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KT
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from categories.columns import Column
from categories.contract import JSON, Cells, Context, Page, PageAction
from categories.copy_out import copy_out
from categories.number_management.columns import FEATURES, NUMBER_COLUMNS
from categories.number_management.models import PhoneNumber, PhoneNumberQuerySet
from categories.number_management.records import FIELDS, NumberRecord, number_cells
from categories.outcomes import WrittenRows

PAGE_SIZE = 10_000  # numbers
PLACE = ("account_id", "number")  # what numbers are listed by
STORED = (
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
CELLS: dict[Column[Any], Combinable] = dict(
    zip(
        NUMBER_COLUMNS,
        [*map(F, STORED), *(KT("__".join(["features", *path])) for _, path in FEATURES)],
        strict=True,
    )
)


class Listing(PageAction, abstract=True):
    """Pages of numbers, by account and number: the index gives them in this order.

    The cursor is where the last page ended, `[account id, number]`; numbers that come or go while
    the list is written neither shift nor repeat others.
    """

    output = NUMBER_COLUMNS

    @abstractmethod
    def select(self, context: Context) -> PhoneNumberQuerySet:
        """Return the numbers to list."""

    def page(self, cursor: JSON | None, context: Context) -> Page:
        """Return the next numbers after the cursor."""
        numbers = self.select(context).using(context.database).order_by(*PLACE)
        if cursor is not None:
            numbers = numbers.filter(GreaterThan(pair(*map(F, PLACE)), pair(*map(Value, cursor))))
        for last in numbers.values_list(*PLACE)[PAGE_SIZE - 1 : PAGE_SIZE]:
            up_to_last = LessThanOrEqual(pair(*map(F, PLACE)), pair(*map(Value, last)))
            return Page(read_numbers(numbers.filter(up_to_last)), list(last))
        return Page(read_numbers(numbers))


def pair(first: Combinable, second: Combinable) -> Func:
    """Return two values that are compared as one, in the order of the index over both."""
    return Func(first, second, function="", output_field=TextField())


def read_numbers(numbers: PhoneNumberQuerySet) -> Sequence[Cells] | WrittenRows:
    """Return the cells of numbers."""
    written = copy_out(numbers, CELLS)
    return read_in_python(numbers) if written is None else written


def read_in_python(numbers: PhoneNumberQuerySet) -> Sequence[Cells]:
    """Return the cells of numbers, where the database cannot write them."""
    return [
        number_cells(NumberRecord(*row), account_name)
        for *row, account_name in numbers.values_list(*FIELDS, "account__name")
    ]


class List(Listing):
    """List the numbers of the account."""

    def select(self, context: Context) -> PhoneNumberQuerySet:
        """Return the account's own numbers."""
        return PhoneNumber.objects.of(context.account_id)


class ListAll(Listing):
    """List the numbers of the account and of all accounts below it."""

    def select(self, context: Context) -> PhoneNumberQuerySet:
        """Return the numbers of the whole tree."""
        return PhoneNumber.objects.within(context.account_id)
