"""Stores imported rates: merges each batch with the stored rates and writes it at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from categories.database.bulk import insert_rows, listed, update_rows
from categories.rates.filling import fill, merge
from categories.rates.models import Rate, Ratedeck
from piston.accounts.models import Account

# the model's fields that an import may set
FIELDS = (
    "account_id",
    "caller_id_numbers",
    "carrier",
    "description",
    "direction",
    "internal_rate_cost",
    "iso_country_code",
    "options",
    "prefix",
    "rate_cost",
    "rate_increment",
    "rate_minimum",
    "rate_name",
    "rate_nocharge_time",
    "rate_suffix",
    "rate_surcharge",
    "rate_version",
    "routes",
    "weight",
)
KEY = ("ratedeck_id", "rate_id")
EMPTY_RATE: dict[str, Any] = {**dict.fromkeys(FIELDS), "options": []}

Key = tuple[int, str]  # of a rate: the deck's primary key, the rate's id
Fields = Mapping[str, Any]  # of a whole rate: all of FIELDS, in that order


class Change(NamedTuple):
    """A row's changes to one rate."""

    ratedeck: str  # the deck's name
    rate_id: str
    given: Fields  # only the fields that the row sets


class StoredRate(NamedTuple):
    """A rate in the database."""

    pk: int
    fields: Fields


def store_changes(changes: Sequence[Change], owner: Account | None, *, using: str) -> None:
    """Store a batch in the decks of `owner`, with the same result as storing row by row.

    It takes a few statements, whatever the size, and runs in the caller's transaction.
    """
    decks = lock_decks({change.ratedeck for change in changes}, owner, using=using)
    keys = [(decks[change.ratedeck], change.rate_id) for change in changes]
    stored = read_rates(keys, using=using)
    rates = {key: rate.fields for key, rate in stored.items()}
    for key, change in zip(keys, changes, strict=True):
        there = rates.get(key)
        rates[key] = merge(there, change.given) if there else fill({**EMPTY_RATE, **change.given})
    write_rates(rates, stored, using=using)


def lock_decks(names: set[str], owner: Account | None, *, using: str) -> dict[str, int]:
    """Return the primary keys of the decks of `owner` by name; create missing decks.

    Locks each deck until the transaction ends, so that two imports into one deck run one after
    the other and neither overwrites the other's changes. The order of locks is always the same.
    """
    owned = Ratedeck.objects.using(using).owned_by(owner).filter(name__in=names).order_by("pk")
    wanted = owned.select_for_update(no_key=True).values_list("name", "pk")
    decks = dict(wanted)
    if missing := names - decks.keys():
        new = [Ratedeck(name=name, account=owner) for name in sorted(missing)]
        # if another import creates the same deck at this moment, use that deck
        Ratedeck.objects.using(using).bulk_create(new, ignore_conflicts=True)
        decks = dict(wanted.all())
    return decks


def read_rates(keys: Iterable[Key], *, using: str) -> dict[Key, StoredRate]:
    """Return the stored rates among `keys`."""
    wanted = set(keys)
    rate_ids = listed({rate_id for _, rate_id in wanted}, using=using)
    rates = Rate.objects.using(using).filter(
        ratedeck_id__in={deck for deck, _ in wanted}, rate_id__in=rate_ids
    )
    found = {
        (deck, rate_id): StoredRate(pk, dict(zip(FIELDS, fields, strict=True)))
        for pk, deck, rate_id, *fields in rates.values_list("pk", *KEY, *FIELDS)
    }
    return {key: found[key] for key in wanted & found.keys()}


def write_rates(
    rates: Mapping[Key, Fields], stored: Mapping[Key, StoredRate], *, using: str
) -> None:
    """Insert new rates, and update those that differ from the stored ones."""
    new, changed = [], []
    for key, fields in rates.items():
        if key not in stored:
            new.append((*key, *fields.values()))
        elif fields != stored[key].fields:
            changed.append((stored[key].pk, *fields.values()))
    insert_rows(Rate, [*KEY, *FIELDS], new, using=using)
    update_rows(Rate, "id", FIELDS, changed, using=using)
