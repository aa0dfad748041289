"""Deletes the rates that rows describe, a batch at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import F, Value
from django.db.models.functions import Coalesce

from categories.contract import RowFailed
from categories.database.bulk import listed, listed_integers
from categories.rates.columns import DirectionColumn
from categories.rates.deleting_at_once import delete_at_once
from categories.rates.models import Rate
from categories.rates.storing import lock_decks
from piston.accounts.models import Account

# fields whose stored value needs another form to be compared with a cell's
COMPARED = {"direction": Coalesce("direction", Value(DirectionColumn.BOTH))}


Values = tuple[Any, ...]  # None fits any value


class Description(NamedTuple):
    """A row's description of rates."""

    ratedeck: str  # the deck's name
    prefix: str
    values: Values  # of the file's other columns


Place = tuple[
    int | None, str
]  # of rates: the deck's primary key, None if there is none; the prefix
Candidate = tuple[int, str, Values]  # a stored rate: primary key, id, values
Deletion = tuple[list[str], bool]  # a row's ids, and whether there were rates with its prefix


def delete_rates(
    descriptions: Sequence[Description], fields: Sequence[str], owner: Account | None, *, using: str
) -> list[list[str] | RowFailed]:
    """Delete the rates of `owner` that fit; return the ids that each row deleted, or its failure.

    `fields` are those of the descriptions' values. The result is the same as row by row: of two
    rows that describe a rate, the first deletes it. It takes a few statements, whatever the size,
    and runs in the caller's transaction.
    """
    decks = lock_decks({each.ratedeck for each in descriptions}, owner, using=using)
    places = [(decks.get(each.ratedeck), each.prefix) for each in descriptions]
    values = [each.values for each in descriptions]
    is_postgresql = connections[using].vendor == "postgresql"
    delete = delete_in_order
    if is_postgresql and len(set(places)) == len(places):  # no two rows can describe one rate
        delete = delete_separately
    deleted = delete(places, fields, values, using=using)
    return [
        sorted(ids) if ids else explain(each, has_deck=place[0] is not None, has_prefix=has_prefix)
        for each, place, (ids, has_prefix) in zip(descriptions, places, deleted, strict=True)
    ]


def delete_in_order(
    places: Sequence[Place], fields: Sequence[str], values: Sequence[Values], *, using: str
) -> list[Deletion]:
    """Delete what fits, the first row first."""
    left = read_candidates(set(places), fields, using=using)
    deletions: list[Deletion] = []
    primary_keys: list[int] = []
    for place, wanted in zip(places, values, strict=True):
        there = left.get(place, ())
        fitting = [rate for rate in there if fits(wanted, rate[2])]
        if fitting:
            left[place] = [rate for rate in there if rate not in fitting]
            primary_keys += [pk for pk, _, _ in fitting]
        deletions.append(([rate_id for _, rate_id, _ in fitting], bool(there)))
    Rate.objects.using(using).filter(pk__in=listed_integers(primary_keys, using=using)).delete()
    return deletions


def delete_separately(
    places: Sequence[Place], fields: Sequence[str], values: Sequence[Values], *, using: str
) -> list[Deletion]:
    """Delete what fits with one statement, because no two rows have the same place."""
    deleted = delete_at_once(places, fields, values, using=using)
    failed = {place for number, place in enumerate(places) if number not in deleted}
    left = read_candidates(failed, (), using=using) if failed else {}
    return [(deleted.get(number, []), place in left) for number, place in enumerate(places)]


def read_candidates(
    places: set[Place], fields: Sequence[str], *, using: str
) -> dict[Place, Sequence[Candidate]]:
    """Return the rates at these places."""
    rates = Rate.objects.using(using).filter(
        ratedeck_id__in={deck for deck, _ in places if deck},
        prefix__in=listed({prefix for _, prefix in places}, using=using),
    )
    columns = [COMPARED.get(field, F(field)) for field in fields]
    found: dict[Place, list[Candidate]] = defaultdict(list)
    for row in rates.values_list("ratedeck_id", "prefix", "pk", "rate_id", *columns):
        found[row[:2]].append((row[2], row[3], row[4:]))
    return dict(found)


def fits(wanted: Values, stored: Values) -> bool:
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
