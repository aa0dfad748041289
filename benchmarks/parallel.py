"""How much faster are eight workers than one, at rows that wait for something?

The same file twice: on an installation whose worker has eight processes, and on one whose worker
has one. From the request that starts the task until its output can be downloaded.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.category import WAITING_SECONDS
from benchmarks.fleet import fleet
from benchmarks.measuring import Comparison, Scale, main, per_second, ratios, take_turns

ROWS = 4_000
WORKERS = 8


def measure(scale: Scale) -> Iterator[Comparison]:
    """Run the same file with many and with one."""
    rows = 800 if scale.is_quick else ROWS
    with fleet("RabbitMQ", processes=WORKERS) as many, fleet("RabbitMQ", processes=1) as one:
        seconds = take_turns(
            scale.rounds,
            {
                "many": lambda: many.time_task(many.upload(rows, "wait")),
                "one": lambda: one.time_task(one.upload(rows, "wait")),
            },
        )
        peaks = many.peaks()
    shares = ratios(seconds["one"], [WORKERS * each for each in seconds["many"]])
    yield Comparison(
        name="parallel action",
        what=f"parallel action, {WAITING_SECONDS * 1000:.0f} ms of waiting per row, {rows:,} rows,"
        f" {WORKERS} worker processes",
        against=f"{WORKERS} times one worker process",
        ratios=shares,
        at_least=0.85,
        figures={
            f"{WORKERS} processes": per_second(rows, seconds["many"]),
            "one": per_second(rows, seconds["one"]),
            "waiting alone": f"{rows * WAITING_SECONDS / WORKERS:.1f} s of"
            f" {statistics.median(seconds['many']):.1f} s",
        },
        peaks=peaks,
    )


if __name__ == "__main__":
    main(measure)
