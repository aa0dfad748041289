"""How do the rates of ratedecks get into a file?"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F, QuerySet

from categories.contract import JSON, Cells, Context, Effects, Page, PageAction
from categories.copy_out import copy_out
from categories.outcomes import WrittenRows
from categories.rates.access import find_owner, refuse_strangers
from categories.rates.columns import RATE_COLUMNS
from categories.rates.models import Rate, Ratedeck

RATES_AT_A_TIME = 10_000
BEGINNING = ("", "")  # before every (deck's name, rate's id)
CELLS = {
    column: F("ratedeck__name" if column.name == "ratedeck_id" else column.name)
    for column in RATE_COLUMNS
}


class Export(PageAction):
    """Export the rates of all ratedecks of the account.

    The 20 columns of a rate in alphabetical order, deck by deck; `import` reads them again. A
    reseller's ratedecks are its own; those of the system are the super-duper admin's.
    """

    effects = Effects.NONE
    output = RATE_COLUMNS

    def permitted(self, context: Context) -> None:
        """Refuse everybody but super-duper admins, and resellers in their own tree."""
        refuse_strangers(context)

    def page(self, cursor: JSON | None, context: Context) -> Page:
        """Return the next rates of one deck; the cursor is the last (deck's name, rate's id)."""
        name, rate_id = cursor or BEGINNING
        decks = Ratedeck.objects.using(context.database).owned_by(find_owner(context))
        deck = decks.filter(name__gte=name).order_by("name").first()
        if deck is None:
            return Page([])
        rates = Rate.objects.using(context.database).filter(ratedeck=deck).order_by("rate_id")
        if deck.name == name:
            rates = rates.filter(rate_id__gt=rate_id)
        last_ids = rates.values_list("rate_id", flat=True)[RATES_AT_A_TIME - 1 : RATES_AT_A_TIME]
        for last_id in last_ids:
            return Page(read_rates(rates.filter(rate_id__lte=last_id)), [deck.name, last_id])
        following = decks.filter(name__gt=deck.name).order_by("name").first()
        return Page(read_rates(rates), following and [following.name, ""])


def read_rates(rates: QuerySet[Rate]) -> Sequence[Cells] | WrittenRows:
    """Return the cells of rates."""
    written = copy_out(rates, CELLS)
    return list(rates.values_list(*CELLS.values())) if written is None else written
