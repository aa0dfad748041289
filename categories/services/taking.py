"""Records the quantities of a month from what accounts have now, thousands at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from django.db import transaction

from categories.services.counting import SOURCES, AccountRange
from categories.services.models import ServiceQuantity
from piston.accounts.models import Account

ACCOUNTS_AT_A_TIME = 2_000

End = Literal["bom", "eom"]  # the beginning of the month, or its end
Document = dict[str, dict[str, int]]


def take_due_quantities(now: datetime) -> None:
    """Take the quantities that are due today, if it is the first or last day of a month."""
    if now.day == 1:
        take_quantities(now.year, now.month, "bom")
    if (now + timedelta(days=1)).day == 1:
        take_quantities(now.year, now.month, "eom")


@transaction.atomic
def take_quantities(year: int, month: int, end: End) -> int:
    """Record what every account has now as one end of a month; return the number of accounts.

    This replaces earlier quantities of that end and leaves the other end alone. An account that
    has nothing gets an empty document. It takes a few statements per 2,000 accounts, however much
    they have.
    """
    taken = 0
    for account_ids in list_account_ids():
        documents = collect_documents(AccountRange(account_ids[0], account_ids[-1]))
        ServiceQuantity.objects.bulk_create(
            [
                ServiceQuantity(
                    account_id=account_id, year=year, month=month, **{end: documents[account_id]}
                )
                for account_id in account_ids
            ],
            update_conflicts=True,
            unique_fields=["account", "year", "month"],
            update_fields=[end],
        )
        taken += len(account_ids)
    return taken


def list_account_ids() -> Iterator[list[str]]:
    """Yield the sorted ids of all accounts, a chunk at a time."""
    last = ""
    while True:
        ids = Account.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)
        chunk = list(ids[:ACCOUNTS_AT_A_TIME])
        if not chunk:
            return
        yield chunk
        last = chunk[-1]


def collect_documents(accounts: AccountRange) -> defaultdict[str, Document]:
    """Return what each account of the range has, by account id; `{}` if it has nothing."""
    documents: defaultdict[str, Document] = defaultdict(dict)
    for count_source in SOURCES:
        for account_id, category, item, quantity in count_source(accounts):
            items = documents[account_id].setdefault(category, {})
            items[item] = items.get(item, 0) + quantity
    return documents
