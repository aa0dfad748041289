"""What do workers do while they are killed? Rows whose effect is a line that nothing makes unique.

The table has no constraint and no foreign key, so a row that is done twice stands in it twice.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import requests
from django.db import connection

from categories.columns import TextColumn
from categories.contract import (
    Category,
    Context,
    Effects,
    Outcome,
    Page,
    PageAction,
    PeriodicJob,
    Row,
    RowAction,
    RowFailed,
    Succeeded,
)

TABLE = "CREATE TABLE chaos_effect (id {key} PRIMARY KEY, task_id varchar(30), name varchar(100))"
TICK = "tick"  # the daily job; in the table, its task
PAGE_ROWS = 100
PAGE_COUNT = 30


def pace() -> float:
    """Return how many seconds a row takes just now; the harness writes it to a file."""
    return float(Path(os.environ["CHAOS_PACE"]).read_text())


def obey(order: str | None) -> None:
    """Do what a row's `do` cell says."""
    match order:
        case "fail":
            raise RowFailed("told to fail")
        case "slow statement":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.5)")
        case "segfault":
            ctypes.string_at(0)
        case "hang":
            while True:
                time.sleep(60)
        case "hang in C":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            time.sleep(600)
        case "ask":
            ask_the_world({"key": "", "name": "", "task": ""})
        case "exhaust":
            hoard = mmap.mmap(-1, 8 * 2**30)
            for place in range(0, len(hoard), mmap.PAGESIZE):
                hoard[place] = 1


def ask_the_world(call: dict[str, str | None], *, seconds: float = 60) -> requests.Response:
    """Call the service outside, and wait for its answer."""
    return requests.post(os.environ["CHAOS_WORLD"], json=call, timeout=seconds)


class Write(RowAction):
    """Write a line per row.

    A whole batch at once, like an action that is made for speed.
    """

    name_ = TextColumn("Which row it is.", name="name", mandatory=True)
    note = TextColumn("Anything.")
    do = TextColumn("What is to become of the row.")
    output = [TextColumn("seen", "What was written.")]
    row_seconds = 2.0

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Write all good rows, slowly; answer for each."""
        outcomes: list[Outcome] = []
        good = []
        for row in rows:
            try:
                obey(row.do)
            except RowFailed as failed:
                outcomes.append(failed)
            else:
                good.append((context.task_id, row["name"]))
                outcomes.append(Succeeded(seen=row["name"].upper()))
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO chaos_effect (task_id, name) VALUES (%s, %s)", good)
        time.sleep(pace() * len(rows))
        return outcomes


class Spread(Write):
    """Write a line per row, on many workers at once.

    Rows are independent of each other.
    """

    ordered = False


class Each(Write):
    """Write a line row by row.

    A row fails only after it has written, so that its line has to be undone.
    """

    process_batch = RowAction.process_batch

    def process(self, row: Row, context: Context) -> Succeeded:
        """Write, then obey."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO chaos_effect (task_id, name) VALUES (%s, %s)",
                (context.task_id, row["name"]),
            )
        time.sleep(pace())
        obey(row.do)
        return Succeeded(seen=row["name"].upper())


class Linger(Each):
    """Write a line row by row, and take time for it.

    For faults that strike again and again in the same row.
    """

    row_seconds = 5.0


class Alone(Each):
    """Write a line row by row, each row a batch, and spend its time inside of PostgreSQL.

    For faults that have to meet a statement of a single row.
    """

    batch_size = 1

    def process(self, row: Row, context: Context) -> Succeeded:
        """Let the database sleep, then write."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [4 * pace()])
        return super().process(row, context)


class Read(Write):
    """Read rows and write nothing.

    Its work is done outside of any transaction.
    """

    effects = Effects.NONE
    process_batch = RowAction.process_batch

    def process(self, row: Row, context: Context) -> Succeeded:
        """Look at the row for a while."""
        time.sleep(pace())
        obey(row.do)
        return Succeeded(seen=row["name"].upper())


class Call(Write):
    """Call the world outside for each row.

    The world writes down every call with its effect key.
    """

    effects = Effects.EXTERNAL
    process_batch = RowAction.process_batch
    row_seconds = 5.0

    def process(self, row: Row, context: Context) -> Succeeded:
        """Call, and echo the answer; a row that is `patient` waits until its time is up."""
        obey(row.do)
        call = {"key": context.effect_key, "name": row["name"], "task": context.task_id}
        seconds = 60 if row.do == "patient" else 4
        answer = ask_the_world(call, seconds=seconds)
        if answer.status_code == requests.codes.conflict:
            raise RowFailed("refused")
        answer.raise_for_status()
        return Succeeded(seen=answer.json()["seen"])


class CallAgain(Call):
    """Call the world outside, again if need be.

    The world recognises an effect key that it has seen.
    """

    name = "call_again"
    idempotent = True
    max_attempts = 5


class Pages(PageAction):
    """Count, page by page.

    There is no input; the cursor says how far it came.
    """

    output = [TextColumn("number", "A number.")]

    def page(self, cursor: int | None, context: Context) -> Page:
        """Return the next numbers, slowly."""
        first = cursor or 0
        time.sleep(pace() * PAGE_ROWS)
        rows = [{"number": str(number)} for number in range(first, first + PAGE_ROWS)]
        last = first + PAGE_ROWS
        return Page(rows, cursor=last if last < PAGE_ROWS * PAGE_COUNT else None)


def tick(due_at: datetime) -> None:
    """Write a line, slowly: of two callers at once both would be seen."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO chaos_effect (task_id, name) VALUES (%s, %s)", (TICK, str(due_at))
        )
    time.sleep(0.3)


class Chaos(Category):
    """Actions for tests that kill their workers.

    Their rows say what is to become of them.
    """

    name = "chaos"
    version = os.environ.get("CHAOS_VERSION", "1")  # of two releases beside each other
    actions = [Write, Spread, Each, Linger, Alone, Read, Call, CallAgain, Pages]
    periodic = [PeriodicJob(TICK, "day", tick, "Write a line a day.")]
