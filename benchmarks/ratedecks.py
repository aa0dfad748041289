"""How fast is a real ratedeck imported, looked up and deleted, against a database's own statements?

250,000 prefixes from the metadata of `phonenumbers`. The limit checks nothing, merges nothing and
writes no output file: the file's own lines go by COPY into a temporary table, and one statement
does the rest, in batches of the size that the task chose for itself, with a commit after each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.deck import DECK, write_deck, write_deletions, write_numbers
from benchmarks.inside import assemble, django_on, submit, work
from benchmarks.measuring import (
    Comparison,
    Scale,
    forget_peak_memory,
    main,
    ratios,
    take_turns,
)
from benchmarks.rates import execute, peaks, speeds, timed
from tests.servers import PostgreSQL

if TYPE_CHECKING:
    from piston.accounts.models import Account

PREFIXES = 250_000
NUMBERS = 500_000
ALL_COLUMNS = (
    "ratedeck_id text, prefix text, iso_country_code text, description text, carrier text,"
    " rate_cost numeric, internal_rate_cost numeric, rate_increment int, rate_minimum int,"
    " rate_surcharge numeric, direction text, rate_version text"
)
INSERT = """
    INSERT INTO rates_rate (ratedeck_id, rate_id, prefix, iso_country_code, description, carrier,
        rate_cost, internal_rate_cost, rate_increment, rate_minimum, rate_surcharge, direction,
        rate_version, rate_name, weight, routes, options)
    SELECT deck.id, concat(iso_country_code, '-', prefix), prefix, iso_country_code, description,
        carrier, rate_cost, internal_rate_cost, rate_increment, rate_minimum, rate_surcharge,
        direction, rate_version, concat_ws('_', direction, iso_country_code, prefix),
        greatest(1, least(100, 10 * length(prefix) - trunc(100 * internal_rate_cost)::int)),
        jsonb_build_array('^\\+?' || prefix || '.+$'), '[]'
    FROM incoming JOIN rates_ratedeck AS deck ON deck.name = incoming.ratedeck_id
    ON CONFLICT (ratedeck_id, rate_id) DO UPDATE SET rate_cost = excluded.rate_cost
    RETURNING rate_id
"""
# an UPDATE, since a bare DELETE only marks rows: what it leaves is VACUUM's work
UPDATE = """
    UPDATE rates_rate AS rate SET rate_version = 'deleted'
    FROM incoming, rates_ratedeck AS deck
    WHERE deck.name = incoming.ratedeck_id AND rate.ratedeck_id = deck.id
        AND rate.prefix = incoming.prefix AND rate.rate_cost = incoming.rate_cost
    RETURNING rate_id
"""
BEGINNINGS = ", ".join(f"substring(number FROM 2 FOR {length})" for length in range(1, 16))
RATE = f"""
    SELECT number, best.prefix, rate_name, rate_cost
    FROM incoming JOIN rates_ratedeck AS deck ON deck.name = incoming.ratedeck_id
    LEFT JOIN LATERAL (
        SELECT prefix, rate_name, rate_cost FROM rates_rate
        WHERE ratedeck_id = deck.id AND prefix = ANY (ARRAY[{BEGINNINGS}]) AND account_id IS NULL
        ORDER BY length(prefix) DESC, weight DESC, rate_id LIMIT 1
    ) AS best ON true
"""


@dataclass
class Work:
    """One action, its file, and what the database does with the same lines."""

    action: str
    file: Path
    columns: str  # of the temporary table
    statement: str
    prepare: Callable[[], None]  # the table, before each turn
    count: int


def measure(scale: Scale) -> Iterator[Comparison]:
    """Compare the import of a deck, the look-up of numbers in it, and its deletion."""
    count, number_count = scale.rows(PREFIXES), scale.rows(NUMBERS)
    with PostgreSQL() as database, django_on(database.url) as folder:
        from categories.rates.models import Ratedeck
        from piston.accounts.models import Account

        account = Account.objects.create(name="benchmark", is_superadmin=True)
        Ratedeck.objects.create(name=DECK, account=None)
        deck = write_deck(folder / "deck.csv", count)
        numbers = write_numbers(folder / "numbers.csv", number_count, count)
        kept = "CREATE TABLE kept AS SELECT * FROM rates_rate"
        doing = Work("import", deck, ALL_COLUMNS, INSERT, empty, count)
        yield compare(scale, account, doing)
        empty()
        ours(account, doing, [])
        execute(kept)
        number_columns = "number text, ratedeck_id text"
        looking = Work("rate", numbers, number_columns, RATE, do_nothing, number_count)
        yield compare(scale, account, looking)
        deletions = write_deletions(folder / "deletions.csv", deck)
        columns = "ratedeck_id text, prefix text, rate_cost numeric"
        yield compare(scale, account, Work("delete", deletions, columns, UPDATE, restore, count))


def compare(scale: Scale, account: Account, doing: Work) -> Comparison:
    """Let a task, and the database alone, work on the same file in turn."""
    batch_sizes: list[int] = []
    forget_peak_memory()
    seconds = take_turns(
        scale.rounds,
        {
            "ours": lambda: ours(account, doing, batch_sizes),
            "limit": lambda: limit(doing, batch_sizes[-1]),
        },
    )
    words = " ".join(doing.statement.split()[:2])
    return Comparison(
        name=f"ratedeck, {doing.action}",
        what=f"`rates` `{doing.action}`, {doing.count:,} rows, a deck of real prefixes, PostgreSQL",
        against=f"COPY into a temporary table and {words} …, in batches of the same size",
        ratios=ratios(seconds["limit"], seconds["ours"]),
        at_least=0.35,
        figures=speeds(doing.count, seconds) | {"rows in a batch": f"{batch_sizes[-1]:,}"},
        peaks=peaks(),
    )


def ours(account: Account, doing: Work, batch_sizes: list[int]) -> float:
    """Run a task; return the seconds from its first row to the finished output."""
    doing.prepare()
    execute("CHECKPOINT")
    with doing.file.open("rb") as upload:
        task = submit("rates", doing.action, upload, account=account)

    def run() -> None:
        work(task)
        batch_sizes.append(max(task.parts.values_list("row_count", flat=True)))
        assemble(task)

    seconds = timed(run)
    task.refresh_from_db()
    if (task.status, task.success_count) != ("success", doing.count):
        raise RuntimeError(f"the task ended as {task.status}, {task.success_count} rows")
    return seconds


def limit(doing: Work, batch_size: int) -> float:
    """Let the database do the same with the file's lines; return the seconds."""
    doing.prepare()
    execute("CHECKPOINT")
    execute("DROP TABLE IF EXISTS incoming")
    execute(f"CREATE TEMPORARY TABLE incoming ({doing.columns}) ON COMMIT DELETE ROWS")
    return timed(lambda: run_statement(doing, batch_size))


def run_statement(doing: Work, batch_size: int) -> None:
    """Copy the lines in and run the statement, a batch at a time; throw its answer away."""
    from django.db import connection

    raw = connection.connection
    with raw.cursor() as bare, doing.file.open("rb") as lines:
        next(lines)
        while batch := list(islice(lines, batch_size)):
            with raw.transaction():
                with bare.copy("COPY incoming FROM STDIN (FORMAT csv)") as copy:
                    copy.write(b"".join(batch))
                bare.execute(doing.statement)


def empty() -> None:
    """Remove all rates."""
    execute("TRUNCATE rates_rate")


def restore() -> None:
    """Put all rates back."""
    empty()
    execute("INSERT INTO rates_rate OVERRIDING SYSTEM VALUE SELECT * FROM kept")
    execute("VACUUM ANALYZE rates_rate")


def do_nothing() -> None:
    """Leave the rates as they are."""


if __name__ == "__main__":
    main(measure)
