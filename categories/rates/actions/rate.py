"""The action `rate`, which finds the rates of telephone numbers."""

from __future__ import annotations

from collections.abc import Sequence

from categories.columns import E164Column
from categories.contract import Context, Effects, Outcome, RowAction, RowFailed, Succeeded
from categories.contract.rows import Row
from categories.rates.access import find_owner, require_permission
from categories.rates.columns import COLUMNS, DEFAULT_RATEDECK
from categories.rates.models import Ratedeck
from categories.rates.rating import Question, rate_numbers


class RateNumbers(RowAction):
    """Find the rates of numbers.

    Of the rates in the ratedeck whose prefix begins the number, the one with the longest prefix is
    found, then the one for `account_id`, then the heaviest. Rates for other accounts, and of the
    other direction if one is given, are left out.
    """

    name = "rate"
    number = E164Column("Number to rate.", mandatory=True)
    ratedeck_id = COLUMNS["ratedeck_id"].but(help=f"Ratedeck; empty: {DEFAULT_RATEDECK}.")
    direction = COLUMNS["direction"].but(help="Direction of the call; empty: either.")
    account_id = COLUMNS["account_id"].but(
        help="Account that calls or is called; empty: only rates for all accounts."
    )
    output = [COLUMNS["prefix"], COLUMNS["rate_name"], COLUMNS["rate_cost"]]
    errors = [
        "there is no ratedeck {ratedeck_id}",
        "no rate of ratedeck {ratedeck_id} fits {number}",
    ]
    effects = Effects.NONE
    ordered = False

    def permitted(self, context: Context) -> None:
        """Refuse all but super-duper admins, and resellers in their own tree."""
        require_permission(context)

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Find the rates of a batch in two statements."""
        names = [row.ratedeck_id or DEFAULT_RATEDECK for row in rows]
        decks = Ratedeck.objects.using(context.database).owned_by(find_owner(context))
        keys = decks.named(set(names))
        questions = [
            Question(keys.get(name), row.number, row.direction or None, row.account_id)
            for name, row in zip(names, rows, strict=True)
        ]
        rated = rate_numbers(questions, using=context.database)
        return [
            Succeeded(rate[:3]) if rate else explain(name, row.number, has_deck=name in keys)
            for name, row, rate in zip(names, rows, rated, strict=True)
        ]


def explain(ratedeck: str, number: str, *, has_deck: bool) -> RowFailed:
    """Return the failure of a number without a rate."""
    if not has_deck:
        return RowFailed(f"there is no ratedeck {ratedeck}")
    return RowFailed(f"no rate of ratedeck {ratedeck} fits {number}")
