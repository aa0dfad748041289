"""How fast are numbers added, against a database that is only asked to insert them?

The limit checks nothing, keeps no history and writes no output: the file's own lines go by COPY
into a temporary table and from there by INSERT … ON CONFLICT into the same model's table, in
batches of the size that the task chose for itself, with a commit after each. On SQLite it is
csv.reader and executemany. Both begin with an empty table.
"""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.inside import assemble, django_on, submit, work
from benchmarks.measuring import (
    Comparison,
    Scale,
    forget_peak_memory,
    main,
    peak_memory,
    per_second,
    ratios,
    take_turns,
)
from tests.servers import PostgreSQL

if TYPE_CHECKING:
    from piston.accounts.models import Account

ROWS = 200_000
TABLE = "number_management_phonenumber"
COLUMNS = "number, account_id, state, created_at, modified_at, ported_in, carrier_module, features"
FILL = f"""
    INSERT INTO {TABLE} ({COLUMNS})
    SELECT number, account_id, 'in_service', now(), now(), false, 'knm_local', '{{}}' FROM incoming
    ON CONFLICT (number) DO NOTHING
"""
INSERT = f"""
    INSERT INTO {TABLE} ({COLUMNS})
    VALUES (?, ?, 'in_service', datetime(), datetime(), 0, 'knm_local', '{{}}')
    ON CONFLICT (number) DO NOTHING
"""


def measure(scale: Scale) -> Iterator[Comparison]:
    """Compare on PostgreSQL, then on SQLite, in a process each: Django is set up once in one."""
    with PostgreSQL() as database:
        yield in_new_process(database.url, scale)
    yield in_new_process(None, scale)


def in_new_process(url: str | None, scale: Scale) -> Comparison:
    """Compare in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(compare, url, scale).result()


def compare(url: str | None, scale: Scale) -> Comparison:
    """Add the same file with a task and with the limit, in turn, on a database."""
    count = scale.rows(ROWS)
    batch_sizes: list[int] = []
    with django_on(url) as folder:
        account = make_account()
        file = write_file(folder / "numbers.csv", count, account.pk)

        def limit() -> float:
            fill = fill_postgresql if url else fill_sqlite
            return timed(lambda: fill(file, batch_sizes[-1]))

        def ours() -> float:
            return add(file, account, batch_sizes)

        forget_peak_memory()
        seconds = take_turns(scale.rounds, {"ours": ours, "limit": limit})
        peaks = {"worker": peak_memory(), **backend_memory()}
    name = "PostgreSQL" if url else "SQLite"
    way = "COPY into a temporary table and INSERT … ON CONFLICT" if url else "executemany"
    return Comparison(
        name=f"numbers added, {name}",
        what=f"`number_management` add, {count:,} rows, {name}, with all checks, history, output",
        against=f"{way}, in batches of the same size",
        ratios=ratios(seconds["limit"], seconds["ours"]),
        at_least=0.35,
        figures={
            "ours": per_second(count, seconds["ours"]),
            "limit": per_second(count, seconds["limit"]),
            "rows in a batch": f"{batch_sizes[-1]:,}",
        },
        peaks=peaks,
    )


def make_account() -> Account:
    """Return an account that may have numbers."""
    from piston.accounts.models import Account

    return Account.objects.create(name="benchmark")


def write_file(file: Path, count: int, account_id: str) -> Path:
    """Write a file of different numbers in no order, all for one account."""
    numbers = [f"+1415{number:07}" for number in range(count)]
    random.Random(1).shuffle(numbers)
    lines = [f"{number},{account_id}\n" for number in numbers]
    file.write_text("number,account_id\n" + "".join(lines))
    return file


def add(file: Path, account: Account, batch_sizes: list[int]) -> float:
    """Add the numbers by a task; return the seconds from the first row to the finished output."""
    empty_tables()
    with file.open("rb") as upload:
        task = submit("number_management", "add", upload, account=account)

    def run() -> None:
        work(task)
        batch_sizes.append(max(task.parts.values_list("row_count", flat=True)))
        assemble(task)

    seconds = timed(run)
    task.refresh_from_db()
    if task.status != "success":
        raise RuntimeError(f"the task ended as {task.status}: {task.reason}")
    return seconds


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes, on empty tables."""
    empty_tables()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def empty_tables() -> None:
    """Remove all numbers and their history."""
    from django.db import connection

    statement = "TRUNCATE {}" if connection.vendor == "postgresql" else "DELETE FROM {}"
    with connection.cursor() as cursor:
        for table in (TABLE, "number_management_numberchange"):
            cursor.execute(statement.format(table))
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def fill_postgresql(file: Path, batch_size: int) -> None:
    """Insert the file's lines as PostgreSQL does it fastest where numbers may exist already."""
    from django.db import connection

    raw = connection.connection
    with connection.cursor() as cursor, raw.cursor() as bare, file.open("rb") as lines:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS incoming"
            " (number varchar(16), account_id varchar(32)) ON COMMIT DELETE ROWS"
        )
        next(lines)
        while batch := list(islice(lines, batch_size)):
            with raw.transaction():
                with bare.copy("COPY incoming FROM STDIN (FORMAT csv)") as copy:
                    copy.write(b"".join(batch))
                bare.execute(FILL)


def fill_sqlite(file: Path, batch_size: int) -> None:
    """Insert the file's rows by executemany."""
    from django.db import connection

    connection.ensure_connection()
    raw = connection.connection
    with file.open(newline="") as lines:
        rows = csv.reader(lines)
        next(rows)
        while batch := list(islice(rows, batch_size)):
            raw.execute("BEGIN IMMEDIATE")
            raw.executemany(INSERT, batch)
            raw.execute("COMMIT")


def backend_memory() -> dict[str, float]:
    """Return the most memory of the database's process that served this one."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return {"PostgreSQL's backend, with shared buffers": peak_memory(cursor.fetchone()[0])}


if __name__ == "__main__":
    main(measure)
