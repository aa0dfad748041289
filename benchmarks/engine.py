"""What does the engine cost around an action that does nothing? One worker, on PostgreSQL.

It works in slices as a worker does: each takes its message, claims, opens the file and a
connection to the database, and sends the next message. The limit is a bare loop that knows
nothing of rows that fail, of claims, or of a crash: it parses the same file, takes its raw lines
as output and commits them, a batch of the same size at a time.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from unittest import mock

import psycopg

from benchmarks.idle import File, Idle, blocks
from benchmarks.inside import django_on, submit
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
    from tasks_app.execution.ledger import Done
    from tasks_app.models import Segment

ROWS = 1_000_000
LEDGER_ROWS = 300_000
FEW_ROWS = 10_000
MANY_ROWS = 10_000_000
LEAST_SPEED = 100_000  # rows a second, on the machine with two cores that the targets are for
ROOM = 20.0  # MiB that memory may grow by
WHOLE_TASK = 3_600_000  # milliseconds: a slice that never ends
BARE_TABLE = "CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, output bytea NOT NULL)"


def measure(scale: Scale) -> Iterator[Comparison]:
    """Compare speed, then the ledger's share, then memory."""
    with PostgreSQL() as database, django_on(database.url) as folder:
        from categories import registry

        with registry.registered(Idle):
            yield from compare_speed(scale, database.url, folder / "rows.csv")
            yield compare_without_ledger(scale)
            yield compare_memory(scale)


def compare_speed(scale: Scale, url: str, file: Path) -> Iterator[Comparison]:
    """Hold the engine against the bare loop, and against a speed."""
    count = scale.rows(ROWS)
    engine = Engine(count)
    with file.open("wb") as copy:
        copy.writelines(blocks(count))
    forget_peak_memory()
    seconds = take_turns(
        scale.rounds,
        {"engine": engine.run, "bare": lambda: run_bare_loop(file, url, engine.batch_size)},
    )
    what = f"engine with an action that does nothing, {count:,} rows, PostgreSQL, one worker"
    yield Comparison(
        name="engine, rows per second",
        what=what,
        against=f"{LEAST_SPEED:,} rows/s",
        ratios=[count / each / LEAST_SPEED for each in seconds["engine"]],
        at_least=1,
        figures={"engine": per_second(count, seconds["engine"])},
    )
    yield Comparison(
        name="engine",
        what=what,
        against="a bare loop: parse, raw lines as output, one `bytea` per batch, commit",
        ratios=ratios(seconds["bare"], seconds["engine"]),
        at_least=0.55,
        figures={
            "engine": per_second(count, seconds["engine"]),
            "bare loop": per_second(count, seconds["bare"]),
            "rows in a batch": f"{engine.batch_size:,}",
        },
        peaks={"worker": peak_memory(), "PostgreSQL's backend": engine.backend_peak},
    )


def compare_without_ledger(scale: Scale) -> Comparison:
    """Hold the engine against itself where it only stores its output, as any engine has to."""
    count = scale.rows(LEDGER_ROWS)
    engine = Engine(count, slice_milliseconds=WHOLE_TASK)

    def run_with(commit_batch: Callable[..., None]) -> float:
        with mock.patch("tasks_app.execution.ledger.commit_batch", commit_batch):
            return engine.run(most_slices=1)

    seconds = take_turns(
        scale.rounds,
        {
            "with": engine.run,
            "without": lambda: run_with(store_output),
            "with nothing written": lambda: run_with(mock.Mock()),
        },
    )
    return Comparison(
        name="ledger",
        what="cost of the ledger: the engine as it is",
        against="the engine without it: output is stored; no counts, cursor, guards",
        ratios=ratios(seconds["with"], seconds["without"]),
        at_most=1.25,
        figures={name: per_second(count, each) for name, each in seconds.items()},
    )


def store_output(segment: Segment, done: Done, **_options: object) -> None:
    """Store the output of a batch and nothing else."""
    from tasks_app.execution import ledger
    from tasks_app.models import Part

    Part.objects.add(ledger._part(segment, done))


def compare_memory(scale: Scale) -> Comparison:
    """Hold the memory for many rows against that for few and the room above it, once."""
    few, many = Engine(FEW_ROWS), Engine(scale.rows(MANY_ROWS))
    few.run()
    forget_peak_memory()
    few.run()
    small = peak_memory()
    many.prepare()
    forget_peak_memory()
    many.work()
    large = peak_memory()
    return Comparison(
        name="engine, memory",
        what=f"memory of the engine, {many.count:,} rows",
        against=f"{FEW_ROWS:,} rows, and {ROOM:.0f} MiB",
        ratios=[large / (small + ROOM)],
        at_most=1,
        figures={"growth": f"{large - small:.1f} MiB"},
        peaks={f"{few.count:,} rows": small, f"{many.count:,} rows": large},
    )


class Engine:
    """Runs tasks of so many rows, as one worker."""

    def __init__(self, count: int, *, slice_milliseconds: int | None = None) -> None:
        from django.conf import settings

        self.count = count
        self.slice_milliseconds = slice_milliseconds or settings.PISTON_SLICE_MILLISECONDS
        self.task_id = ""
        self.batch_size = 0  # the largest there was
        self.backend_peak = 0.0  # MiB, of the database's processes, with shared buffers

    def run(self, most_slices: int | None = None) -> float:
        """Run a new task; return the seconds from its first slice to its last row."""
        self.prepare()
        started = time.perf_counter()
        self.work(most_slices)
        seconds = time.perf_counter() - started
        if most_slices is None:
            self.look_back()
        return seconds

    def prepare(self) -> None:
        """Start a task, on a database without others."""
        clean_up()
        self.task_id = submit("idle", "nothing", cast("BinaryIO", File(self.count))).pk
        settle_down()

    def work(self, most_slices: int | None = None) -> None:
        """Do what a worker does with the task's messages, until no row is left."""
        from django.db import connection
        from django.test import override_settings

        from tasks_app.execution import worker
        from tasks_app.models import Segment, Task
        from tasks_app.queue import dispatch

        left = Segment.objects.unfinished().filter(task=self.task_id)
        number = 0
        with override_settings(PISTON_SLICE_MILLISECONDS=self.slice_milliseconds):
            while number != most_slices and left.exists():
                number += 1
                dispatch.receive(self.task_id, Task.objects.get(pk=self.task_id).wake_number)
                worker.run_slice(self.task_id, f"{self.task_id}-{number}")
                backend = peak_memory(connection.connection.info.backend_pid)
                self.backend_peak = max(self.backend_peak, backend)
                connection.close()  # as Celery does after each message

    def look_back(self) -> None:
        """Note the size of batches, and that all rows succeeded."""
        from tasks_app.models import Part, Task

        task = Task.objects.get(pk=self.task_id)
        if (task.success_count, task.left_count) != (self.count, 0):
            raise RuntimeError(f"{task.success_count:,} of {self.count:,} rows succeeded")
        self.batch_size = max(Part.objects.values_list("row_count", flat=True))


def clean_up() -> None:
    """Remove all tasks, their files, and what the bare loop wrote."""
    from django.core.files.storage import default_storage
    from django.db import connection

    from tasks_app.models import TaskCSV

    for key in TaskCSV.objects.values_list("key", flat=True):
        default_storage.delete(key)
    with connection.cursor() as cursor:
        cursor.execute(BARE_TABLE)
        cursor.execute("ALTER TABLE bare ALTER COLUMN output SET COMPRESSION lz4")  # as ours
        cursor.execute("TRUNCATE tasks_app_task, tasks_app_taskcsv, bare CASCADE")


def settle_down() -> None:
    """Let the database write what it still has to, so that every turn begins alike."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def run_bare_loop(file: Path, url: str, batch_size: int) -> float:
    """Parse, take the raw lines as output, insert and commit; return the seconds."""
    clean_up()
    settle_down()
    started = time.perf_counter()
    with psycopg.connect(url) as connection, file.open("rb") as lines:
        next(lines)
        while batch := list(islice(lines, batch_size)):
            list(csv.reader(map(bytes.decode, batch)))
            output = b"".join([line[:-1] + b",\n" for line in batch])
            connection.execute("INSERT INTO bare (output) VALUES (%b)", [output])
            connection.commit()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(measure)
