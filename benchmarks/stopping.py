"""How soon is a stop acknowledged, and does a row begin, or count, after it?

The task writes a line per row at full speed. Its rows say when they begin, in a file that no
transaction undoes. What was committed must be what the answer to the stop says, then and later.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.fleet import Fleet, fleet
from benchmarks.measuring import Comparison, Scale, main, take_turns

ROWS = 200_000
ROWS_BEFORE = 2_000
ACKNOWLEDGED_SECONDS = 0.2
BATCH_SECONDS = 0.25  # a batch aims at it; one of slow rows ends with the row in hand
LATEST_SECONDS = 2 * BATCH_SECONDS  # that a row may begin: a machine has other things to do
COUNTED = "SELECT success_count + failure_count FROM tasks_app_task WHERE id = %s"
IN_PARTS = "SELECT coalesce(sum(row_count), 0) FROM tasks_app_part WHERE task_id = %s"
WRITTEN = "SELECT count(*) FROM benchmark_effect WHERE task_id = %s"


def measure(scale: Scale) -> Iterator[Comparison]:
    """Stop a task again and again."""
    late: list[float] = []
    with fleet("RabbitMQ") as running:
        acknowledged = take_turns(scale.rounds, {"stop": lambda: stop_one(running, late)})["stop"]
        peaks = running.peaks()
    yield Comparison(
        name="stop",
        what="stop of a task at full speed: seconds until it is acknowledged",
        against="a second",
        ratios=acknowledged,
        at_most=ACKNOWLEDGED_SECONDS,
        figures={
            "rows committed after the answer": "0",
            "last row began after the answer": f"{max(late) * 1000:.0f} ms at most",
        },
        peaks=peaks,
    )


def stop_one(running: Fleet, late: list[float]) -> float:
    """Stop a task at full speed; return how long that took, and note how late a row began."""
    task = running.upload(ROWS, "write")
    running.marks.unlink(missing_ok=True)
    running.start(task)
    running.look_for(
        "SELECT 1 FROM tasks_app_task WHERE id = %s AND success_count > %s", task, ROWS_BEFORE
    )
    started = time.perf_counter()
    answer = running.client.call("PATCH", f"{task}/stop")
    took, answered_at = time.perf_counter() - started, time.time()
    counted = answer["success_count"] + answer["failure_count"]
    committed = [running.look_for(query, task)[0] for query in (COUNTED, IN_PARTS, WRITTEN)]
    running.wait_for_end(task)
    time.sleep(2 * BATCH_SECONDS)  # whoever had a batch in hand is through with it
    committed += [running.look_for(query, task)[0] for query in (COUNTED, WRITTEN)]
    lines = running.client.download(task, "out.csv").count(b"\n") - 1
    if {*committed, lines} - {counted}:
        raise RuntimeError(f"The stop answered {counted} rows; there are {committed}, {lines}.")
    late.append(max(0.0, last_mark(running) - answered_at))
    if late[-1] > LATEST_SECONDS:
        raise RuntimeError(f"A row began {late[-1]:.3f} s after the answer to the stop.")
    return took


def last_mark(running: Fleet) -> float:
    """Return when the last row began, in seconds since 1970."""
    return float(running.marks.read_text().split()[-1])


if __name__ == "__main__":
    main(measure)
