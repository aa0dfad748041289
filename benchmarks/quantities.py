"""How fast are the quantities of 10,000 accounts listed, and in how much memory?

The limit reads the same documents of two years with one query, server-side, and keeps none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.exporting import start
from benchmarks.inside import assemble, django_on, work
from benchmarks.measuring import (
    Comparison,
    Scale,
    forget_peak_memory,
    main,
    peak_memory,
    ratios,
    take_turns,
)
from benchmarks.rates import execute, speeds, timed
from tests.servers import PostgreSQL

if TYPE_CHECKING:
    from piston.accounts.models import Account

ACCOUNTS = 10_000
MONTHS = [(year, month) for year in (2024, 2025) for month in range(1, 13)]
ITEMS = 4  # of each document


def measure(scale: Scale) -> Iterator[Comparison]:
    """List the quantities of few accounts, then of ten times as many, with a task."""
    with PostgreSQL() as database, django_on(database.url):
        from piston.accounts.models import Account

        parent = Account.objects.create(name="benchmark")
        few = scale.rows(ACCOUNTS) // 10
        fill(parent, few)
        forget_peak_memory()
        list_quantities(parent, few)
        memory_of_few = peak_memory()
        fill(parent, 9 * few)
        yield compare(scale, parent, 10 * few, memory_of_few)


def compare(scale: Scale, parent: Account, count: int, memory_of_few: float) -> Comparison:
    """Let a task list the quantities, and one query read the documents, in turn."""
    forget_peak_memory()
    seconds = take_turns(
        scale.rounds, {"ours": lambda: list_quantities(parent, count), "limit": read_documents}
    )
    rows = count * len(MONTHS) * ITEMS
    return Comparison(
        name="quantities listed",
        what=f"`services` `descendant_quantities`, {rows:,} rows of {count:,} accounts, PostgreSQL",
        against="reading the same documents with one query",
        ratios=ratios(seconds["limit"], seconds["ours"]),
        figures=speeds(rows, seconds),
        peaks={"worker": peak_memory(), "worker, a tenth of the accounts": memory_of_few},
    )


def fill(parent: Account, count: int) -> None:
    """Give more accounts below an account, each with documents of two years."""
    from categories.services.models import ServiceQuantity
    from piston.accounts.models import Account

    children = Account.objects.bulk_create(
        Account(name=f"child {number}", parent=parent) for number in range(count)
    )
    document = {"phone_numbers": {f"in_service_{number}": number for number in range(ITEMS)}}
    for year, month in MONTHS:
        ServiceQuantity.objects.bulk_create(
            [
                ServiceQuantity(account=child, year=year, month=month, bom=document, eom=document)
                for child in children
            ],
            batch_size=5_000,
        )
    execute("VACUUM ANALYZE")


def list_quantities(parent: Account, count: int) -> float:
    """Run a task; return the seconds from its first page to the finished output."""
    task = start(parent, "services", "descendant_quantities")

    def run() -> None:
        work(task)
        assemble(task)

    seconds = timed(run)
    task.refresh_from_db()
    if (task.status, task.success_count) != ("success", count * len(MONTHS) * ITEMS):
        raise RuntimeError(f"the task ended as {task.status}, {task.success_count} rows")
    return seconds


def read_documents() -> float:
    """Read all documents as text, and keep none."""
    from django.db import connection, transaction

    def run() -> None:
        statement = (
            "SELECT account_id, year, month, bom::text, eom::text FROM services_servicequantity"
            " ORDER BY account_id, year, month"
        )
        with transaction.atomic(), connection.chunked_cursor() as cursor:
            cursor.execute(statement)
            while rows := cursor.fetchmany(5_000):
                for *_, beginning, end in rows:
                    json.loads(beginning), json.loads(end)

    return timed(run)


if __name__ == "__main__":
    main(measure)
