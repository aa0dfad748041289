"""Takes the quantities of all accounts: the daily job, and what the command does."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, Min, OuterRef, Q, QuerySet

from categories.services.counting import SOURCES, Quantity
from categories.services.models import ServiceQuantity
from categories.services.months import MonthEnd, list_ends
from piston.accounts.models import Account
from piston.plurals import plural

logger = logging.getLogger(__name__)

ACCOUNTS_AT_A_TIME = 2_000
MAX_MADE_UP = 20_000  # documents in one run of the daily job; the next day's run makes up more

Document = dict[str, dict[str, int] | None]  # a category that is None is not known


class Taken(NamedTuple):
    """What was taken."""

    account_count: int
    unknown: list[str]  # categories that nothing tells for that moment


def take_due_quantities(now: datetime) -> None:
    """Take the quantities of all ends of months that have passed and were not taken.

    Today's come first: what has no history can be counted only today. Then earlier ones are made
    up, the oldest first, as many as MAX_MADE_UP allows.
    """
    began_at = Account.objects.aggregate(Min("created_at"))["created_at__min"]
    ends = list(list_ends(began_at, now)) if began_at else []
    for end in ends:
        if end.moment.date() == now.date():
            take_quantities(end, now, due_accounts(end))
    left = MAX_MADE_UP
    for end in ends:
        accounts = due_accounts(end)
        if left > 0 and accounts.exists():
            taken = take_quantities(end, now, accounts, most=left)
            left -= taken.account_count
            accounts_made_up = f"{taken.account_count} {plural('account', taken.account_count)}"
            unknown = ", ".join(taken.unknown)
            logger.warning(
                "the %s had been missed; made up for %s, without %s", end, accounts_made_up, unknown
            )


def due_accounts(end: MonthEnd) -> QuerySet[Account]:
    """Keep the accounts that existed at that end, and have no document of it.

    A document that was taken before the end had come does not count. An imported one does.
    """
    is_final = Q(**{f"{end.end}_at": None}) | Q(**{f"{end.end}_at": end.moment})
    taken = ServiceQuantity.objects.filter(
        is_final,
        account=OuterRef("pk"),
        year=end.year,
        month=end.month,
        **{f"{end.end}__isnull": False},
    )
    return Account.objects.filter(~Exists(taken), created_at__lte=end.moment)


@transaction.atomic
def take_quantities(
    end: MonthEnd,
    now: datetime,
    accounts: QuerySet[Account] | None = None,
    *,
    most: int | None = None,
) -> Taken:
    """Record what accounts had at one end of a month, or what they have now if it is to come.

    Without `accounts` it takes all that existed at that moment. `most` limits their number. The
    new document replaces what is counted, and keeps imported categories. What has no history is
    counted on the same day, kept if it was counted at that end, and else not known: None. It takes
    a few statements per 2,000 accounts, however much they have, in memory for as many.
    """
    moment = min(end.moment, now)
    if accounts is None:
        accounts = Account.objects.filter(created_at__lte=moment)
    counting = Counting(moment, now, is_past=end.moment <= now)
    taken = 0
    for account_ids in list_ids(accounts, most):
        store(end, moment, account_ids, counting)
        taken += len(account_ids)
    return Taken(taken, counting.unknown)


def list_ids(accounts: QuerySet[Account], most: int | None) -> Iterator[list[str]]:
    """Yield the sorted ids of accounts, a chunk at a time, at most so many."""
    last, left = "", most
    while left is None or left > 0:
        size = ACCOUNTS_AT_A_TIME if left is None else min(left, ACCOUNTS_AT_A_TIME)
        ids = accounts.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)
        chunk = list(ids[:size])
        if not chunk:
            return
        yield chunk
        last = chunk[-1]
        left = None if left is None else left - len(chunk)


class Counting:
    """The quantities at a moment, read once in the order of account ids."""

    def __init__(self, moment: datetime, now: datetime, *, is_past: bool) -> None:
        self.unknown: list[str] = []
        self._sources: list[tuple[str, Iterator[Quantity]]] = []
        for source in SOURCES:
            if not is_past or (source.count_at is None and moment.date() == now.date()):
                self._sources.append((source.category, source.count_now()))
            elif source.count_at is not None:
                self._sources.append((source.category, source.count_at(moment)))
            else:
                self.unknown.append(source.category)
        self._next: dict[str, Quantity] = {}  # by category, read but not used yet

    @property
    def counted(self) -> list[str]:
        """The categories that are counted."""
        return [category for category, _ in self._sources]

    def documents_until(self, account_id: str) -> defaultdict[str, dict[str, dict[str, int]]]:
        """Return the documents of accounts after those of the call before, by account id."""
        documents: defaultdict[str, dict[str, dict[str, int]]] = defaultdict(dict)
        for category, quantities in self._sources:
            for quantity in self._read(category, quantities, account_id):
                items = documents[quantity.account_id].setdefault(category, {})
                items[quantity.item] = items.get(quantity.item, 0) + quantity.quantity
        return documents

    def _read(
        self, category: str, quantities: Iterator[Quantity], account_id: str
    ) -> Iterator[Quantity]:
        quantity = self._next.pop(category, None) or next(quantities, None)
        while quantity is not None and quantity.account_id <= account_id:
            yield quantity
            quantity = next(quantities, None)
        if quantity is not None:
            self._next[category] = quantity


def store(end: MonthEnd, moment: datetime, account_ids: list[str], counting: Counting) -> None:
    """Store the documents of these accounts for one end of a month."""
    found = counting.documents_until(account_ids[-1])
    stored = ServiceQuantity.objects.filter(
        account__in=account_ids, year=end.year, month=end.month
    ).values_list("account_id", end.end, f"{end.end}_at")
    kept = {
        account_id: keep(document or {}, counting, is_of_moment=at in {None, moment})
        for account_id, document, at in stored
    }
    unknown: Document = dict.fromkeys(counting.unknown)
    ServiceQuantity.objects.bulk_create(
        [
            ServiceQuantity(
                account_id=account_id,
                year=end.year,
                month=end.month,
                **{
                    end.end: {**unknown, **kept.get(account_id, {}), **found[account_id]},
                    f"{end.end}_at": moment,
                },
            )
            for account_id in account_ids
        ],
        update_conflicts=True,
        unique_fields=["account", "year", "month"],
        update_fields=[end.end, f"{end.end}_at"],
    )


def keep(stored: dict[str, Any], counting: Counting, *, is_of_moment: bool) -> Document:
    """Return the categories of a stored document that are not replaced."""
    replaced = {*counting.counted, *([] if is_of_moment else counting.unknown)}
    return {category: items for category, items in stored.items() if category not in replaced}
