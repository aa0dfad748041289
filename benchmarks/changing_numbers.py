"""How fast are numbers changed, against a database that is only asked to change them?

Each action of number_management that changes numbers is held against the same change in SQL: the
file's own lines go by COPY into a temporary table, and one UPDATE … FROM it (for import, INSERT …
ON CONFLICT) writes the fields that the action writes, in batches of the size that the task chose,
with a commit after each. The limit checks nothing, keeps no history and writes no output. Both
begin with the same numbers.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.inside import assemble, django_on, submit, work
from benchmarks.measuring import Comparison, Scale, main, per_second, ratios, take_turns
from benchmarks.numbers import TABLE, empty_tables
from tests.servers import PostgreSQL

if TYPE_CHECKING:
    from piston.accounts.models import Account

ROWS = 50_000
COLUMNS = "number, account_id, state, created_at, modified_at, ported_in, carrier_module, features"
FEATURES = '{"cnam": {"display_name": "Old name"}, "e911": {"locality": "Dover"}}'
OLD_MOMENT = "now() - interval '1 day'"


@dataclass(frozen=True)
class Change:
    """An action, the state of its numbers before it, the cells of a row, and the change in SQL."""

    action: str
    state: str  # "": there are no numbers
    cells: dict[str, str]
    statement: str
    carrier_module: str = "knm_telnyx"


MOVE = f"""
    UPDATE {TABLE} AS n SET account_id = i.account_id, state = %s, modified_at = now(),
    previously_assigned_to = n.account_id, used_by = NULL, reservations = %s
    FROM incoming AS i WHERE n.number = i.e164
"""
MERGE = f"""
    UPDATE {TABLE} AS n SET modified_at = now(), features = %s jsonb_build_object(
        'cnam', jsonb_build_object('display_name', i."cnam.outbound"),
        'failover', jsonb_build_object('sip', i."failover.sip"))
    FROM incoming AS i WHERE n.number = i.e164
"""
CELLS = {"cnam.outbound": "Cafe {n}", "failover.sip": "sip:{n}@voice.example"}
CHANGES = (
    Change(
        "import",
        "",
        {"account_id": "{account}", "state": "in_service"},
        f"INSERT INTO {TABLE} ({COLUMNS}) SELECT e164, account_id, state, now(), now(), false,"
        " 'knm_local', '{{}}' FROM incoming ON CONFLICT (number) DO NOTHING",
    ),
    Change("assign_to", "available", {"account_id": "{account}"}, MOVE % ("'in_service'", "NULL")),
    Change(
        "reserve", "in_service", {"account_id": "{account}"}, MOVE % ("'reserved'", "'{account}'")
    ),
    Change(
        "release",
        "in_service",
        {},
        f"UPDATE {TABLE} AS n SET account_id = NULL, state = 'available', modified_at = now(),"
        " previously_assigned_to = n.account_id, used_by = NULL, reservations = NULL,"
        " features = '{{}}' FROM incoming AS i WHERE n.number = i.e164",
    ),
    Change("update_merge", "in_service", CELLS, MERGE % "n.features ||"),
    Change("update_overwrite", "in_service", CELLS, MERGE % ""),
    # a bare DELETE only marks rows, in a tenth of the time that a change of them takes
    Change(
        "delete",
        "in_service",
        {},
        f"UPDATE {TABLE} AS n SET account_id = NULL, state = 'deleted', modified_at = now()"
        " FROM incoming AS i WHERE n.number = i.e164",
    ),
)


def measure(scale: Scale) -> Iterator[Comparison]:
    """Compare each action with its change in SQL, on PostgreSQL."""
    with PostgreSQL() as database, django_on(database.url) as folder:
        account = make_account()
        for change in CHANGES:
            yield compare(change, account, folder / "numbers.csv", scale)


def make_account() -> Account:
    """Return an account that may do everything."""
    from piston.accounts.models import Account

    return Account.objects.create(name="benchmark", is_superadmin=True)


def compare(change: Change, account: Account, file: Path, scale: Scale) -> Comparison:
    """Change the same numbers with a task and with the limit, in turn."""
    count = scale.rows(ROWS)
    write_file(file, change, count, account.pk)
    batch_sizes: list[int] = []

    def ours() -> float:
        make_numbers(change, count, account.pk)
        return run_task(change.action, file, account, batch_sizes)

    def limit() -> float:
        make_numbers(change, count, account.pk)
        started = time.perf_counter()
        run_statement(change, file, account.pk, batch_sizes[-1])
        return time.perf_counter() - started

    seconds = take_turns(scale.rounds, {"ours": ours, "limit": limit})
    return Comparison(
        name=f"numbers changed, {change.action}",
        what=f"`number_management` {change.action}, {count:,} rows, PostgreSQL, with all checks,"
        " history, output",
        against=f"COPY and {first_words(change.statement)}, in batches of the same size",
        ratios=ratios(seconds["limit"], seconds["ours"]),
        at_least=0.35,
        figures={
            "ours": per_second(count, seconds["ours"]),
            "limit": per_second(count, seconds["limit"]),
            "rows in a batch": f"{batch_sizes[-1]:,}",
        },
    )


def first_words(statement: str) -> str:
    """Return what kind of statement it is."""
    kinds = {
        "UPDATE": "UPDATE … FROM",
        "INSERT": "INSERT … ON CONFLICT",
    }
    return kinds[statement.split(maxsplit=1)[0]]


def numbers(count: int) -> list[str]:
    """Return different numbers, in no order."""
    made = [f"+1415{number:07}" for number in range(count)]
    random.Random(1).shuffle(made)
    return made


def write_file(file: Path, change: Change, count: int, account_id: str) -> None:
    """Write the input."""
    cells = ["{number}", *change.cells.values()]
    line = ",".join(cells) + "\n"
    rows = [
        line.format(number=number, n=n, account=account_id)
        for n, number in enumerate(numbers(count))
    ]
    file.write_text(",".join(["e164", *change.cells]) + "\n" + "".join(rows))


def make_numbers(change: Change, count: int, account_id: str) -> None:
    """Make the numbers that the action changes."""
    from django.db import connection

    empty_tables()
    if not change.state:
        return
    # not the account that gets them, so that they move; but one that the same token may act on
    holder = None if change.state == "available" else other_account(account_id)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} ({COLUMNS}) SELECT '+1415' || lpad(n::text, 7, '0'), %s, %s,"
            f" {OLD_MOMENT}, {OLD_MOMENT}, false, %s, %s"
            " FROM (SELECT generate_series(0, %s) AS n ORDER BY random()) AS shuffled",
            [holder, change.state, change.carrier_module, FEATURES, count - 1],
        )
        cursor.execute(f"VACUUM ANALYZE {TABLE}")


def other_account(account_id: str) -> str:
    """Return the id of an account below the one that acts."""
    from piston.accounts.models import Account

    other, _ = Account.objects.get_or_create(name="below", parent_id=account_id)
    return other.pk


def run_task(action: str, file: Path, account: Account, batch_sizes: list[int]) -> float:
    """Change the numbers by a task; return the seconds from the first row to the output."""
    with file.open("rb") as upload:
        task = submit("number_management", action, upload, account=account)
    started = time.perf_counter()
    work(task)
    batch_sizes.append(max(task.parts.values_list("row_count", flat=True)))
    assemble(task)
    seconds = time.perf_counter() - started
    task.refresh_from_db()
    if task.status != "success":
        raise RuntimeError(f"the task ended as {task.status}: {task.reason}")
    return seconds


def run_statement(change: Change, file: Path, account_id: str, batch_size: int) -> None:
    """Change the numbers as PostgreSQL does it fastest."""
    from django.db import connection

    names: Sequence[str] = ["e164", *change.cells]
    columns = ", ".join(f'"{name}" text' for name in names)
    statement = change.statement.replace("{account}", account_id).replace("{{}}", "{}")
    raw = connection.connection
    with raw.cursor() as bare, file.open("rb") as lines:
        bare.execute("DROP TABLE IF EXISTS incoming")
        bare.execute(f"CREATE TEMPORARY TABLE incoming ({columns}) ON COMMIT DELETE ROWS")
        next(lines)
        while batch := list(islice(lines, batch_size)):
            with raw.transaction():
                with bare.copy("COPY incoming FROM STDIN (FORMAT csv)") as copy:
                    copy.write(b"".join(batch))
                bare.execute(statement)


if __name__ == "__main__":
    main(measure)
