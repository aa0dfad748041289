"""How are the numbers of accounts listed, page by page?"""

from __future__ import annotations

from abc import abstractmethod

from categories.contract import JSON, Context, Page, PageAction
from categories.number_management.columns import NUMBER_COLUMNS
from categories.number_management.models import PhoneNumber, PhoneNumberQuerySet
from categories.number_management.records import FIELDS, NumberRecord, number_cells

PAGE_SIZE = 1000  # numbers


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
        """Return the thousand numbers after the cursor."""
        numbers = self.select(context).using(context.database).order_by("account_id", "number")
        if cursor is not None:
            account_id, number = cursor
            numbers = numbers.filter(account_id__gte=account_id).exclude(
                account_id=account_id, number__lte=number
            )
        found = [
            (NumberRecord(*row), account_name)
            for *row, account_name in numbers.values_list(*FIELDS, "account__name")[:PAGE_SIZE]
        ]
        last = found[-1][0] if len(found) == PAGE_SIZE else None
        return Page(
            rows=[number_cells(record, account_name) for record, account_name in found],
            cursor=last and [last.account_id, last.number],
        )


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
