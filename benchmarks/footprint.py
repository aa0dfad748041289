"""What does a row cost the database? Bytes of its log, for each byte of input.

docs/scaling.md reckons with this: how many rows a database takes is mostly how fast it can write.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.inside import assemble, django_on, submit, work
from benchmarks.measuring import Comparison, Scale, main
from tests.servers import PostgreSQL

if TYPE_CHECKING:
    from piston.accounts.models import Account

ROWS = 50_000


def measure(scale: Scale) -> Iterator[Comparison]:
    """Run each action over a file of its own, a few times, each time other rows."""
    count = scale.rows(ROWS)
    with PostgreSQL() as database, django_on(database.url):
        from piston.accounts.models import Account

        account = Account.objects.create(name="benchmark", is_superadmin=True)
        for category, action, make in (
            ("number_management", "add", numbers),
            ("rates", "import", rates),
        ):
            rounds = [
                log_bytes(account, category, action, make(round_number, count, account.pk))
                for round_number in range(scale.rounds)
            ]
            yield Comparison(
                name=f"log of {category} {action}",
                what=f"log (WAL) that PostgreSQL writes for `{category}` `{action}`",
                against="bytes of input",
                ratios=[written / sent for written, sent, _ in rounds],
                figures={
                    "log": f"{rounds[-1][0] / count:,.0f} B/row",
                    "input": f"{rounds[-1][1] / count:,.0f} B/row",
                    "commits": f"{rounds[-1][2] / count * 1_000:.2f} per 1,000 rows",
                },
            )


def log_bytes(account: Account, category: str, action: str, file: bytes) -> tuple[int, int, int]:
    """Run a task to its end; return the bytes it put into the log, its input's, and its batches."""
    from django.db import connection

    def position() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
            return int(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
    before = position()
    task = submit(category, action, io.BytesIO(file), account=account)
    work(task)
    batch_count = task.parts.count()
    assemble(task)
    task.refresh_from_db()
    if task.status != "success":
        raise RuntimeError(f"the task ended as {task.status}: {task.reason}")
    return position() - before, len(file), batch_count


def numbers(round_number: int, count: int, account_id: str) -> bytes:
    """Return numbers that no other round has."""
    lines = (f"+1415{round_number}{number:06},{account_id}\n" for number in range(count))
    return ("number,account_id\n" + "".join(lines)).encode()


def rates(round_number: int, count: int, _account_id: str) -> bytes:
    """Return rates that no other round has."""
    lines = (
        f"US-{round_number},1{round_number}{number:06},US,Somewhere {number % 700},0.0123,60\n"
        for number in range(count)
    )
    header = "ratedeck_id,prefix,iso_country_code,description,rate_cost,rate_increment\n"
    return (header + "".join(lines)).encode()


if __name__ == "__main__":
    main(measure)
