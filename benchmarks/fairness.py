"""How long does a small task take while another account runs ten huge ones, against alone?

Both accounts run the action that does nothing, at full speed on two worker processes. From the
request that starts the task until its output can be downloaded.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence

from benchmarks.fleet import Fleet, fleet
from benchmarks.measuring import Comparison, Scale, main, ratios, take_turns
from tests.acceptance.installation import Client

ROWS = 1_000
HUGE_ROWS = 1_000_000
HUGE_TASKS = 10
BUSY_ROWS = 20_000  # of the huge tasks, before the small one is started


def measure(scale: Scale) -> Iterator[Comparison]:
    """Start the small task with and without the others."""
    with fleet("RabbitMQ") as running:
        hog = Client(running.installation)
        first_rows: list[float] = []

        def alone() -> float:
            return running.time_task(running.upload(ROWS))

        def beside() -> float:
            others = occupy(running, hog, scale)
            task = running.upload(ROWS)
            first, whole = time_both(running, task)
            first_rows.append(first)
            assert_were_running(running, others)
            free(running, hog, others)
            return whole

        seconds = take_turns(scale.rounds, {"alone": alone, "beside": beside})
        peaks = running.peaks()
    del first_rows[0]  # of the round that does not count
    what = f"a {ROWS:,}-row task while another account runs {HUGE_TASKS} of {HUGE_ROWS:,} rows"
    figures = {name: f"{statistics.median(each):.2f} s" for name, each in seconds.items()}
    yield Comparison(
        name="small task beside huge ones",
        what=what,
        against="the small task alone",
        ratios=ratios(seconds["beside"], seconds["alone"]),
        at_most=2.5,
        figures=figures,
        peaks=peaks,
    )
    yield Comparison(
        name="first row beside huge ones",
        what=f"{what}: seconds until its first row is committed",
        against="a second",
        ratios=first_rows,
        at_most=3,
    )


def occupy(running: Fleet, hog: Client, scale: Scale) -> list[str]:
    """Start the huge tasks of the other account; return their ids once they are well under way."""
    rows = scale.rows(HUGE_ROWS * 4) if scale.is_quick else HUGE_ROWS
    tasks = [running.upload(rows, client=hog) for _ in range(HUGE_TASKS)]
    for task in tasks:
        running.start(task, client=hog)
    running.look_for(
        "SELECT 1 FROM tasks_app_task WHERE id = ANY(%s) HAVING sum(success_count) > %s",
        tasks,
        BUSY_ROWS,
    )
    return tasks


def time_both(running: Fleet, task: str) -> tuple[float, float]:
    """Start a task; return the seconds until its first row, and until its end."""
    started = time.perf_counter()
    running.start(task)
    running.wait_for_row(task)
    first = time.perf_counter() - started
    running.wait_for_end(task)
    return first, time.perf_counter() - started


def assert_were_running(running: Fleet, tasks: Sequence[str]) -> None:
    """Raise when the huge tasks were over before the small one: then nothing was measured."""
    query = "SELECT count(*) FROM tasks_app_task WHERE id = ANY(%s) AND status = 'executing'"
    row = running.database.execute(query, [list(tasks)]).fetchone()
    if row is None or row[0] < 2:
        raise RuntimeError("The huge tasks ended too early: nothing was measured.")


def free(running: Fleet, hog: Client, tasks: Sequence[str]) -> None:
    """Stop tasks and wait until nothing of them is left to do."""
    for task in tasks:
        hog.session.patch(f"{hog.tasks}/{task}/stop", timeout=60)  # some may have ended
    for task in tasks:
        running.wait_for_end(task)


if __name__ == "__main__":
    main(measure)
