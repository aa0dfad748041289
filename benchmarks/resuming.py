"""Does a task of ten million rows start, and go on at its end, as fast as one at its beginning?

From the start, or from the death of a worker, to the first batch that is committed. The worker is
a process that claims the segment and is killed in its first row; its message comes again, as a
broker would hand it out. A cursor in the middle of the file is set there, not worked for.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast
from unittest import mock

from benchmarks.idle import FIRST_ID, LINE_BYTES, LINES, File, Idle, Nothing
from benchmarks.inside import django_on, submit
from benchmarks.measuring import Comparison, Scale, main, peak_memory, ratios, take_turns
from tests.servers import PostgreSQL

if TYPE_CHECKING:
    from tasks_app.models import Task

ROWS = 10_000_000
LATE_ROW = 9_500_000
FEW_ROWS = 10_000
TRIES = 15  # in each round, the median of which counts: one takes milliseconds
MESSAGE = "a message that comes again"


def measure(scale: Scale) -> Iterator[Comparison]:
    """Compare starts, then what follows a death."""
    with PostgreSQL() as database, django_on(database.url):
        from django.test import override_settings

        from categories import registry

        count = scale.rows(ROWS)
        tries = 3 if scale.is_quick else TRIES
        one_batch = override_settings(PISTON_SLICE_MILLISECONDS=0)
        with registry.registered(Idle), one_batch:
            large = submit("idle", "nothing", cast("BinaryIO", File(count)))
            small = submit("idle", "nothing", cast("BinaryIO", File(FEW_ROWS)))
            yield compare_starts(scale.rounds, tries, large, small)
            late_row = min(LATE_ROW, count - FEW_ROWS)
            yield compare_deaths(scale.rounds, tries, large, late_row)


def compare_starts(rounds: int, tries: int, large: Task, small: Task) -> Comparison:
    """Hold the start of a large task against that of a small one."""
    seconds = take_turns(
        rounds,
        {
            "large": lambda: median_of(tries, lambda: start(large)),
            "small": lambda: median_of(tries, lambda: start(small)),
        },
    )
    return Comparison(
        name="start of a large task",
        what=f"start of a task of {large.total_count:,} rows, to its first batch",
        against=f"the same with {small.total_count:,} rows",
        ratios=ratios(seconds["large"], seconds["small"]),
        at_most=1.2,
        figures={name: milliseconds(each) for name, each in seconds.items()},
        peaks={"worker": peak_memory()},
    )


def compare_deaths(rounds: int, tries: int, task: Task, late_row: int) -> Comparison:
    """Hold what follows the death of a worker at a late row against the same at the first."""
    start(task)
    seconds = take_turns(
        rounds,
        {
            "late": lambda: median_of(tries, lambda: resume(task, late_row)),
            "at row 0": lambda: median_of(tries, lambda: resume(task, 0)),
        },
    )
    return Comparison(
        name="resuming a large task",
        what=f"resume at row {late_row:,} of {task.total_count:,} after SIGKILL, to the next batch",
        against="the same at row 0",
        ratios=ratios(seconds["late"], seconds["at row 0"]),
        at_most=1.2,
        figures={name: milliseconds(each) for name, each in seconds.items()},
        peaks={"worker": peak_memory()},
    )


def median_of(tries: int, once: Callable[[], float]) -> float:
    """Return the median of so many tries."""
    return statistics.median(once() for _ in range(tries))


def milliseconds(seconds: Sequence[float]) -> str:
    """Return a time for reading."""
    return f"{1000 * statistics.median(seconds):.1f} ms"


def start(task: Task) -> float:
    """Start a task that waits, as PATCH does; return the seconds to its first batch."""
    from tasks_app import lifecycle
    from tasks_app.events import Actor
    from tasks_app.execution import worker
    from tasks_app.models import Task

    set_back(task, 0)
    Task.objects.update(  # this one and the other
        status="pending", started_at=None, dispatched_at=None, is_permitted=False
    )
    task.refresh_from_db()
    started = time.perf_counter()
    lifecycle.start(task, Actor(f"account:{task.account_id}"))
    worker.run_slice(task.pk, MESSAGE)
    seconds = time.perf_counter() - started
    check_progress(task, 0)
    return seconds


def resume(task: Task, row: int) -> float:
    """Let a worker die at a row; return the seconds from then to the next batch."""
    from tasks_app.execution import worker

    set_back(task, row)
    let_a_worker_die(task)
    started = time.perf_counter()
    worker.run_slice(task.pk, MESSAGE)
    seconds = time.perf_counter() - started
    check_progress(task, row)
    return seconds


def set_back(task: Task, row: int) -> None:
    """Let the task stand in front of a row, with nothing written."""
    from django.db.models import F

    offset = task.csvs.get(name="in.csv").size_bytes - LINE_BYTES * ((task.total_count or 0) - row)
    task.parts.all().delete()
    task.segments.update(
        claimed_until=None,
        claimed_for="",
        claim=F("claim") + 1,
        cursor_row=row,
        cursor_offset=offset,
        part_count=0,
        batch_size=100,
        idle_claims=0,
        careful_until_row=0,
        suspect_row=None,
        suspect_trials=0,
    )


def check_progress(task: Task, row: int) -> None:
    """Make sure that the batch was committed, with the row that stands there in the file."""
    part = task.parts.get()
    number = int(bytes(part.output)[:9]) - FIRST_ID
    if part.first_row != row + 1 or number != row % LINES:
        raise RuntimeError(f"the batch at row {row:,} begins with row {number:,}")


def let_a_worker_die(task: Task) -> None:
    """Fork a worker, and kill it in its first row."""
    from django.db import connection

    connection.close()  # a child must not use it
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        hang_in_first_row(task.pk, tell)
    os.close(tell)
    os.read(ready, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready)
    connection.ensure_connection()


def hang_in_first_row(task_id: str, tell: int) -> NoReturn:
    """Be a worker that says when it has a row in hand, and never ends with it."""
    from tasks_app.execution import worker

    def hang(*_: object) -> None:
        os.write(tell, b".")
        time.sleep(60)

    try:
        with mock.patch.object(Nothing, "process", hang):
            worker.run_slice(task_id, MESSAGE)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main(measure)
