"""How fast do rates come in, against a database that only copies them?

The limit parses, checks and fills in nothing: the very rows that the import has stored, as text
that is ready for COPY, go into the same table, with a commit after each batch of the same size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
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
    from tasks_app.models import Task

IMPORTED = 500_000
HEADER = (
    "ratedeck_id,prefix,iso_country_code,description,carrier,rate_cost,internal_rate_cost,"
    "rate_increment,rate_minimum,rate_surcharge,direction,rate_version"
)
TABLE = "rates_rate"
STORED = (  # all columns but the id, which the database gives
    "ratedeck_id, rate_id, account_id, caller_id_numbers, carrier, description, direction,"
    " internal_rate_cost, iso_country_code, options, prefix, rate_cost, rate_increment,"
    " rate_minimum, rate_name, rate_nocharge_time, rate_suffix, rate_surcharge, rate_version,"
    " routes, weight"
)


def measure(scale: Scale) -> Iterator[Comparison]:
    """Compare the import with COPY."""
    with PostgreSQL() as database, django_on(database.url) as folder:
        from piston.accounts.models import Account

        account = Account.objects.create(name="benchmark", is_superadmin=True)
        yield compare_imports(scale, account, folder)


def compare_imports(scale: Scale, account: Account, folder: Path) -> Comparison:
    """Import the same file with a task, and its rows with COPY, in turn."""
    count = scale.rows(IMPORTED)
    file = write_file(folder / "rates.csv", count)
    batches: list[bytes] = []

    def ours() -> float:
        execute(f"TRUNCATE {TABLE}")
        with file.open("rb") as upload:
            task = submit("rates", "import", upload, account=account)
        worked, assembled = run(task, count, batches)
        return worked + assembled

    def limit() -> float:
        execute(f"TRUNCATE {TABLE}")
        return timed(lambda: copy_in(batches))

    forget_peak_memory()
    seconds = take_turns(scale.rounds, {"ours": ours, "limit": limit})
    size = batches[0].count(b"\n")
    return Comparison(
        name="rates imported",
        what=f"`rates` import, {count:,} rows, PostgreSQL, with all checks and output",
        against="COPY of the stored rows into the same table, in batches of the same size",
        ratios=ratios(seconds["limit"], seconds["ours"]),
        at_least=0.20,
        figures=speeds(count, seconds) | {"rows in a batch": f"{size:,}"},
        peaks=peaks(),
    )


def write_file(file: Path, count: int) -> Path:
    """Write a price list of one deck, with the columns that such lists have."""
    with file.open("w") as lines:
        lines.write(HEADER + "\n")
        for number in range(count):
            cost = f"{number % 9973 / 10000:.4f},{number % 997 / 10000:.4f}"
            lines.write(
                f"gold,{1_000_000 + number},US,Destination {number % 700},carrier {number % 5},"
                f"{cost},60,{number % 3 * 30},0,outbound,2024-03\n"
            )
    return file


def run(task: Task, count: int, batches: list[bytes] | None = None) -> tuple[float, float]:
    """Work a task off and assemble it; return the seconds of each, and the rows it has stored."""
    execute("CHECKPOINT")
    worked = timed(lambda: work(task))
    if batches == []:
        batches += read_batches(max(task.parts.values_list("row_count", flat=True)))
    assembled = timed(lambda: assemble(task))
    task.refresh_from_db()
    if (task.status, task.success_count) != ("success", count):
        raise RuntimeError(f"the task ended as {task.status}, {task.success_count} rows")
    return worked, assembled


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def execute(statement: str) -> None:
    """Let the database do something by itself."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)


def read_batches(size: int) -> list[bytes]:
    """Return the stored rates as COPY takes them, so many at a time."""
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} ({STORED}) TO STDOUT") as copy:
        lines = map(bytes, copy)
        return [b"".join(batch) for batch in iter(lambda: list(islice(lines, size)), [])]


def copy_in(batches: list[bytes]) -> None:
    """Store rates that are ready."""
    from django.db import connection

    statement = f"COPY {TABLE} ({STORED}) FROM STDIN"
    with connection.connection.cursor() as cursor:
        for batch in batches:
            with connection.connection.transaction(), cursor.copy(statement) as copy:
                copy.write(batch)


def speeds(count: int, seconds: dict[str, list[float]]) -> dict[str, str]:
    """Return how many rates a second came through, either way."""
    return {name: per_second(count, took) for name, took in seconds.items()}


def peaks() -> dict[str, float]:
    """Return the most memory of this process, and of the database's that serves it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = peak_memory(cursor.fetchone()[0])
    return {"worker": peak_memory(), "PostgreSQL's backend, with shared buffers": backend}


if __name__ == "__main__":
    main(measure)
