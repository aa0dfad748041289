"""The action that lists the quantities of the accounts below an account, month by month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from categories.columns import AccountColumn, Column, IntegerColumn, TextColumn
from categories.contract import JSON, Context, Effects, Page, PageAction
from categories.services.models import ServiceQuantity

# {category: {item: quantity}}; a category that is None is not known
Quantities = Mapping[str, Mapping[str, int] | None]

ACCOUNTS_AT_A_TIME = 500
MONTHS_AT_A_TIME = 1_000
BEGINNING = ("", 0, 0)  # before every (account id, year, month)


class DescendantQuantities(PageAction):
    """List the quantities of all accounts below the task's account.

    A page has up to 1,000 months of the next 500 accounts. The cursor is the (account id, year,
    month) up to which everything is done. A page may be empty although more follow.
    """

    # both texts equal the specification's byte for byte: docs/spec/tasks-api.txt, "Fetch"
    description = "List per-month descendant accounts quantities"
    doc = (
        "Attempts to create a month-on-month listing of quantities used by descendant accounts.\n"
        "This task returns the following fields:\n"
        "* `account_id`: a sub-account of the creator of this task.\n"
        "* `year`: integral year as 4 characters.\n"
        "* `month`: integral month as 2 characters (left-padded with a zero).\n"
        "* `category`: name of the quantity's category.\n"
        "* `item`: name of the category's item.\n"
        "* `quantity_bom`: integral quantity's value or empty.\n"
        "* `quantity_eom`: integral quantity's value or empty.\n"
        "Note: some beginning-of-month and end-of-month quantities documents may be missing.\n"
        "Note: when both an account's BoM & EoM documents for a given month are missing, no rows"
        " are a created for this month.\n"
        "Note: in all other cases the documents' value is printed verbatim: if unset the empty"
        " string is returned.\n"
        "E.g.: an integer quantity (such as 1, 10 or 0 (zero)) represents was the system has. If"
        " no quantity was found, the empty value is used.\n"
    )
    effects = Effects.NONE
    output: ClassVar[Sequence[Column[Any]]] = [
        AccountColumn("account_id", "An account below the task's account."),
        TextColumn("year", "Year, 4 digits.", example="2024"),
        TextColumn("month", "Month, 2 digits.", example="01"),
        TextColumn("category", "What kind of thing was counted.", example="phone_numbers"),
        TextColumn("item", "What was counted.", example="in_service_US"),
        IntegerColumn("quantity_bom", "How many at the beginning of the month."),
        IntegerColumn("quantity_eom", "How many at its end."),
    ]

    def page(self, cursor: JSON | None, context: Context) -> Page:
        """Return the rows of the next months, in the order of account id, year and month."""
        account_id, year, month = cursor or BEGINNING
        # first the accounts, then their months: neither query reads more than it returns
        below = context.account.descendants().using(context.database).order_by("pk")
        ids = list(
            below.filter(pk__gte=account_id).values_list("pk", flat=True)[: ACCOUNTS_AT_A_TIME + 1]
        )
        following = ids[ACCOUNTS_AT_A_TIME:]
        months = list(
            ServiceQuantity.objects.using(context.database)
            .filter(account_id__in=ids[:ACCOUNTS_AT_A_TIME])
            .exclude(account_id=account_id, year__lt=year)
            .exclude(account_id=account_id, year=year, month__lte=month)
            .order_by("account_id", "year", "month")[:MONTHS_AT_A_TIME]
        )
        rows = [row for quantity in months for row in make_rows(quantity)]
        if len(months) == MONTHS_AT_A_TIME:
            last = months[-1]
            return Page(rows, [last.account_id, last.year, last.month])
        return Page(rows, [*following, 0, 0] if following else None)


def make_rows(quantity: ServiceQuantity) -> Iterator[tuple[Any, ...]]:
    """Yield the output rows of one account's month."""
    where = (quantity.account_id, f"{quantity.year:04}", f"{quantity.month:02}")
    for row in unite(quantity.bom, quantity.eom):
        yield where + row


def unite(
    bom: Quantities | None, eom: Quantities | None
) -> Iterator[tuple[str, str, int | None, int | None]]:
    """Yield a sorted (category, item, beginning, end) for each item in either document.

    A quantity is None if it is unset; a missing document (None), or a category that is not known,
    unsets all its quantities. A category without items yields no row.
    """
    first, last = bom or {}, eom or {}
    for category in sorted(first.keys() | last.keys()):
        began, ended = first.get(category) or {}, last.get(category) or {}
        for item in sorted(began.keys() | ended.keys()):
            yield category, item, began.get(item), ended.get(item)
