"""The action `export`, which writes the rates of ratedecks to a file."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F, QuerySet

from categories.contract import JSON, Cells, Context, Effects, Page, PageAction
from categories.contract.outcomes import WrittenRows
from categories.database.copy_out import FIRST_ROWS, copy_out, next_page_rows
from categories.rates.access import find_owner, require_permission
from categories.rates.columns import ID_COLUMN, RATE_COLUMNS
from categories.rates.models import Rate, Ratedeck

BEGINNING = ("", "")  # before every (deck's name, rate's id)
STORED = {"ratedeck_id": "ratedeck__name", "_id": "rate_id"}  # fields with another name
CELLS = {column: F(STORED.get(column.name, column.name)) for column in (*RATE_COLUMNS, ID_COLUMN)}


class Export(PageAction):
    """Export the rates of all ratedecks of the account.

    The 20 columns of a rate in alphabetical order and its id, `_id`, deck by deck. `import` reads
    them again: the next export is the same. A reseller's ratedecks are its own; those of the system
    are the super-duper admin's.
    """

    effects = Effects.NONE
    output = tuple(CELLS)

    def permitted(self, context: Context) -> None:
        """Refuse all but super-duper admins, and resellers in their own tree."""
        require_permission(context)

    def page(self, cursor: JSON | None, context: Context) -> Page:
        """Return the next rates of one deck; the cursor is the last (name, id) and a page size."""
        name, rate_id, size = cursor or (*BEGINNING, FIRST_ROWS)
        decks = Ratedeck.objects.using(context.database).owned_by(find_owner(context))
        deck = decks.filter(name__gte=name).order_by("name").first()
        if deck is None:
            return Page([])
        rates = Rate.objects.using(context.database).filter(ratedeck=deck).order_by("rate_id")
        if deck.name == name:
            rates = rates.filter(rate_id__gt=rate_id)
        for last_id in rates.values_list("rate_id", flat=True)[size - 1 : size]:
            rows = read_rates(rates.filter(rate_id__lte=last_id))
            return Page(rows, [deck.name, last_id, next_page_rows(size, rows)])
        following = decks.filter(name__gt=deck.name).order_by("name").first()
        return Page(read_rates(rates), following and [following.name, "", size])


def read_rates(rates: QuerySet[Rate]) -> Sequence[Cells] | WrittenRows:
    """Return the cells of rates."""
    written = copy_out(rates, CELLS)
    return list(rates.values_list(*CELLS.values())) if written is None else written
