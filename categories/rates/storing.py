"""Stores imported rates: merges each batch with the stored rates and writes it at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from categories.database.bulk import insert_rows, listed, update_rows
from categories.rates.columns import RATE_COLUMNS
from categories.rates.filling import fill, merge
from categories.rates.models import Rate, Ratedeck
from piston.accounts.models import Account

# the model's fields that an import may set
FIELDS = tuple(column.name for column in RATE_COLUMNS if column.name != "ratedeck_id")
KEY = ("ratedeck_id", "rate_id")
WRITER = ("task_id", "task_row")
EMPTY_RATE: dict[str, Any] = {**dict.fromkeys(FIELDS), "options": []}
FORMATS = {column.name: column.format for column in RATE_COLUMNS}
MAX_SHOWN_LENGTH = 40  # characters of an overwritten value in a note

Key = tuple[int, str]  # of a rate: the deck's primary key, the rate's id
Fields = Mapping[str, Any]  # of a whole rate: all of FIELDS, in that order


class Change(NamedTuple):
    """A row's changes to one rate."""

    ratedeck: str  # the deck's name
    rate_id: str
    given: Fields  # only the fields that the row sets
    row: int  # its number in the file


class StoredRate(NamedTuple):
    """A rate in the database."""

    pk: int
    task_id: str | None  # the task that wrote it last, and the row
    row: int | None
    fields: Fields


def store_changes(
    changes: Sequence[Change], owner: Account | None, *, task_id: str, using: str
) -> list[str]:
    """Store a batch in the decks of `owner`, with the same result as storing row by row.

    Returns a note for each change: what it overwrites of an earlier row of the same task, else "".
    Each rate holds the task and the row that wrote it last, so rows of earlier batches are noticed
    too. It takes a few statements, whatever the size, and runs in the caller's transaction.
    """
    decks = lock_or_create_decks({change.ratedeck for change in changes}, owner, using=using)
    keys = [(decks[change.ratedeck], change.rate_id) for change in changes]
    stored = read_rates(keys, using=using)
    rates = {key: rate.fields for key, rate in stored.items()}
    rows = {key: rate.row for key, rate in stored.items() if rate.task_id == task_id}
    notes = []
    for key, change in zip(keys, changes, strict=True):
        there = rates.get(key)
        row = rows.get(key)
        notes.append("" if there is None or row is None else describe(row, there, change.given))
        rates[key] = merge(there, change.given) if there else fill({**EMPTY_RATE, **change.given})
        rows[key] = change.row
    write_rates(rates, stored, {key: (task_id, rows[key]) for key in rates}, using=using)
    return notes


def describe(row: int, there: Fields, given: Fields) -> str:
    """Return what a row with the `given` fields does to the rate that an earlier row wrote."""
    changed = [field for field, value in given.items() if value != there[field]]
    if not changed:
        return f"repeats row {row}"
    was = "; ".join(f"{field} was {shorten(FORMATS[field](there[field]))}" for field in changed)
    return f"overwrites row {row}: {was}"


def shorten(text: str) -> str:
    """Return the beginning of a text, or "empty"."""
    if len(text) > MAX_SHOWN_LENGTH:
        return text[: MAX_SHOWN_LENGTH - 1] + "…"
    return text or "empty"


def lock_decks(names: set[str], owner: Account | None, *, using: str) -> dict[str, int]:
    """Return the primary keys of the decks of `owner` by name, without the missing ones.

    Locks each deck until the transaction ends, so that two tasks that write to one deck run one
    after the other and neither undoes the other's changes. The order of locks is always the same.
    """
    owned = Ratedeck.objects.using(using).owned_by(owner)
    return owned.order_by("pk").select_for_update(no_key=True).named(names)


def lock_or_create_decks(names: set[str], owner: Account | None, *, using: str) -> dict[str, int]:
    """Return the primary keys of the decks of `owner` by name; lock them all."""
    decks = lock_decks(names, owner, using=using)
    if missing := names - decks.keys():
        new = [Ratedeck(name=name, account=owner) for name in sorted(missing)]
        # if another import creates the same deck at this moment, use that deck
        Ratedeck.objects.using(using).bulk_create(new, ignore_conflicts=True)
        decks = lock_decks(names, owner, using=using)
    return decks


def read_rates(keys: Iterable[Key], *, using: str) -> dict[Key, StoredRate]:
    """Return the stored rates among `keys`."""
    wanted = set(keys)
    rate_ids = listed({rate_id for _, rate_id in wanted}, using=using)
    rates = Rate.objects.using(using).filter(
        ratedeck_id__in={deck for deck, _ in wanted}, rate_id__in=rate_ids
    )
    found = {
        (deck, rate_id): StoredRate(pk, task_id, row, dict(zip(FIELDS, fields, strict=True)))
        for deck, rate_id, pk, task_id, row, *fields in rates.values_list(
            *KEY, "pk", *WRITER, *FIELDS
        )
    }
    return {key: found[key] for key in wanted & found.keys()}


def write_rates(
    rates: Mapping[Key, Fields],
    stored: Mapping[Key, StoredRate],
    writers: Mapping[Key, tuple[str, int | None]],
    *,
    using: str,
) -> None:
    """Insert new rates, and update those that differ from the stored ones; note the writers."""
    new, changed, same = [], [], []
    for key, fields in rates.items():
        if key not in stored:
            new.append((*key, *fields.values(), *writers[key]))
        elif fields != stored[key].fields:
            changed.append((stored[key].pk, *fields.values(), *writers[key]))
        else:
            same.append((stored[key].pk, *writers[key]))
    insert_rows(Rate, *without_nulls([*KEY, *FIELDS, *WRITER], new), using=using)
    update_rows(Rate, "id", [*FIELDS, *WRITER], changed, using=using)
    update_rows(Rate, "id", WRITER, same, using=using)


def without_nulls(
    names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> tuple[list[str], Sequence[tuple[Any, ...]]]:
    """Return the rows without the columns that are NULL in all of them; most files give few."""
    wanted = [
        place
        for place, values in enumerate(zip(*rows, strict=True))
        if values.count(None) < len(values)
    ]
    take = itemgetter(*wanted) if wanted else tuple
    return [names[place] for place in wanted], list(map(take, rows))
