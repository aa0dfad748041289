"""Deletes the rates that rows describe, a batch at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.models import F, Value
from django.db.models.functions import Coalesce

from categories.contract import RowFailed
from categories.database.bulk import listed, listed_integers
from categories.rates.columns import DirectionColumn
from categories.rates.models import Rate
from categories.rates.storing import lock_decks
from piston.accounts.models import Account

# fields whose stored value needs another form to be compared with a cell's
COMPARED = {"direction": Coalesce("direction", Value(DirectionColumn.BOTH))}


class Description(NamedTuple):
    """A row's description of rates."""

    ratedeck: str  # the deck's name
    prefix: str
    values: tuple[Any, ...]  # of the file's other columns; None fits any value


Candidate = tuple[int, str, tuple[Any, ...]]  # a stored rate: primary key, id, values


def delete_rates(
    descriptions: Sequence[Description], fields: Sequence[str], owner: Account | None, *, using: str
) -> list[list[str] | RowFailed]:
    """Delete the rates of `owner` that fit; return the ids that each row deleted, or its failure.

    `fields` are those of the descriptions' values. The result is the same as row by row: of two
    rows that describe a rate, the first deletes it. It takes a few statements, whatever the size,
    and runs in the caller's transaction.
    """
    decks = lock_decks({each.ratedeck for each in descriptions}, owner, using=using)
    prefixes = {each.prefix for each in descriptions}
    left = read_candidates(decks, prefixes, fields, using=using)
    outcomes: list[list[str] | RowFailed] = []
    deleted: list[int] = []
    for wanted in descriptions:
        place = (decks.get(wanted.ratedeck), wanted.prefix)
        there = left.get(place, ())
        fitting = [rate for rate in there if fits(wanted.values, rate[2])]
        if fitting:
            left[place] = [rate for rate in there if rate not in fitting]
            deleted += [pk for pk, _, _ in fitting]
            outcomes.append(sorted(rate_id for _, rate_id, _ in fitting))
        else:
            outcomes.append(explain(wanted, has_deck=place[0] is not None, has_prefix=bool(there)))
    Rate.objects.using(using).filter(pk__in=listed_integers(deleted, using=using)).delete()
    return outcomes


def read_candidates(
    decks: dict[str, int], prefixes: set[str], fields: Sequence[str], *, using: str
) -> dict[tuple[int | None, str], Sequence[Candidate]]:
    """Return the rates with these prefixes by deck and prefix."""
    rates = Rate.objects.using(using).filter(
        ratedeck_id__in=decks.values(), prefix__in=listed(prefixes, using=using)
    )
    columns = [COMPARED.get(field, F(field)) for field in fields]
    found: dict[tuple[int | None, str], list[Candidate]] = defaultdict(list)
    for row in rates.values_list("ratedeck_id", "prefix", "pk", "rate_id", *columns):
        found[row[:2]].append((row[2], row[3], row[4:]))
    return dict(found)


def fits(wanted: tuple[Any, ...], stored: tuple[Any, ...]) -> bool:
    """Tell whether each value that is given equals the stored one."""
    return wanted == stored or all(
        value is None or value == there for value, there in zip(wanted, stored, strict=True)
    )


def explain(wanted: Description, *, has_deck: bool, has_prefix: bool) -> RowFailed:
    """Return the failure of a row that describes no rate."""
    if not has_deck:
        return RowFailed(f"there is no ratedeck {wanted.ratedeck}")
    if not has_prefix:
        return RowFailed(f"no rate of ratedeck {wanted.ratedeck} has the prefix {wanted.prefix}")
    return RowFailed(
        f"no rate of ratedeck {wanted.ratedeck} with the prefix {wanted.prefix} has all the values"
        " of this row"
    )
