"""How fast do rates come in and go out, against a database that only copies them?

The limits parse, check and fill in nothing. In: the very rows that the import has stored, as text
that is ready for COPY, into the same table, with a commit after each batch of the same size. Out:
COPY of the same columns, in no order, thrown away.
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
EXPORTED = 1_000_000
HEADER = (
    "ratedeck_id,prefix,iso_country_code,description,carrier,rate_cost,internal_rate_cost,"
    "rate_increment,rate_minimum,rate_surcharge,direction,rate_version"
)
TABLE = "rates_rate"
WRITTEN = (  # the columns of an export, but for the deck's name
    "account_id, caller_id_numbers, carrier, description, direction, internal_rate_cost,"
    " iso_country_code, options, prefix, rate_cost, rate_increment, rate_minimum, rate_name,"
    " rate_nocharge_time, rate_suffix, rate_surcharge, rate_version, routes, weight"
)
STORED = f"ratedeck_id, rate_id, {WRITTEN}"  # all but the id, which the database gives
EXPORT = (
    f"COPY (SELECT {WRITTEN}, deck_name FROM {TABLE} JOIN (SELECT id AS deck_id, name AS deck_name"
    " FROM rates_ratedeck) AS deck ON deck_id = ratedeck_id) TO STDOUT (FORMAT csv)"
)
FILL = f"""
    COPY {TABLE} (ratedeck_id, rate_id, prefix, iso_country_code, rate_name, description, carrier,
        rate_cost, internal_rate_cost, rate_increment, rate_minimum, rate_surcharge, direction,
        rate_version, routes, options, weight) FROM STDIN
"""


def measure(scale: Scale) -> Iterator[Comparison]:
    """Compare the import, then the export of a table that COPY has filled."""
    with PostgreSQL() as database, django_on(database.url) as folder:
        from piston.accounts.models import Account

        account = Account.objects.create(name="benchmark", is_superadmin=True)
        yield compare_imports(scale, account, folder)
        yield compare_exports(scale, account)


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


def compare_exports(scale: Scale, account: Account) -> Comparison:
    """Export a filled table with a task, and with COPY, in turn."""
    count = scale.rows(EXPORTED)
    fill_table(count)
    assembling: list[float] = []

    def ours() -> float:
        worked, assembled = run(start_export(account), count)
        assembling.append(assembled)
        return worked

    forget_peak_memory()
    seconds = take_turns(scale.rounds, {"ours": ours, "limit": copy_out})
    return Comparison(
        name="rates exported",
        what=f"`rates` export, {count:,} rows, PostgreSQL, with the output's parts",
        against="COPY of the same columns TO STDOUT",
        ratios=ratios(seconds["limit"], seconds["ours"]),
        at_least=0.30,
        figures=speeds(count, seconds) | {"assembling out.csv": f"{min(assembling):.1f} s"},
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


def fill_table(count: int) -> None:
    """Put rates into the deck by COPY: what they hold is what an import would have stored."""
    from django.db import connection

    from categories.rates.models import Ratedeck

    deck = Ratedeck.objects.get_or_create(name="gold", account=None)[0].pk
    execute(f"TRUNCATE {TABLE}")
    with connection.cursor() as cursor, cursor.copy(FILL) as copy:
        for number in range(count):
            prefix = 1_000_000 + number
            copy.write(
                f"{deck}\tUS-{prefix}\t{prefix}\tUS\toutbound_US_{prefix}\t"
                f"Destination {number % 700}\tcarrier {number % 5}\t{number % 9973 / 10000:.4f}\t"
                f"{number % 997 / 10000:.4f}\t60\t{number % 3 * 30}\t0\toutbound\t2024-03\t"
                f'["^\\\\\\\\+?{prefix}.+$"]\t[]\t{1 + number % 100}\n'
            )
    execute(f"VACUUM ANALYZE {TABLE}")


def start_export(account: Account) -> Task:
    """Create a task that takes no input, as a request does, and start it."""
    from categories import registry
    from tasks_app import intake, lifecycle
    from tasks_app.events import Actor

    actor = Actor(f"account:{account.pk}")
    found = registry.get_action("rates", "export")
    task = intake.submit_without_input(intake.Order(account, account, *found, actor))
    lifecycle.start(task, actor)
    return task


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


def copy_out() -> None:
    """Read all rates, and keep none."""
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(EXPORT) as copy:
        for _ in copy:
            pass


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
