"""How close to a provider's limit do calls come? It takes 200 ms each, and allows 50 a second.

A whole installation, whose worker has two processes, sends a file to a provider that answers 429
beyond its limit. From the request that starts the task until its output can be downloaded. The
limit is the time in which the provider takes as many calls at most.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.category import PROVIDER
from benchmarks.fleet import Fleet, fleet
from benchmarks.measuring import Comparison, Scale, main, per_second
from benchmarks.provider import PER_SECOND, SECONDS, Provider

ROWS = 1_500
PROCESSES = 2
LEAST_SPEED = 45


def measure(scale: Scale) -> Iterator[Comparison]:
    """Run the same file a few times, each time as another task."""
    rows = 300 if scale.is_quick else ROWS
    rounds = min(scale.rounds, 3)  # half a minute each
    with (
        Provider() as provider,
        fleet("RabbitMQ", processes=PROCESSES, **{PROVIDER: provider.url}) as running,
    ):
        seconds = [time_rows(running, provider, rows) for _ in range(rounds)]
        peaks = running.peaks()
    yield Comparison(
        name="calls to the outside",
        what=f"external action, {SECONDS * 1000:.0f} ms per call, {rows:,} rows,"
        f" {PROCESSES} worker processes",
        against=f"the provider's limit, {PER_SECOND} calls/s",
        ratios=[rows / each / PER_SECOND for each in seconds],
        at_least=LEAST_SPEED / PER_SECOND,
        figures={
            "rows": per_second(rows, seconds),
            "refused with 429": f"{provider.refused_count:,} calls",
            "one row at a time": f"{PROCESSES / SECONDS:.0f} rows/s at most",
            "median": f"{statistics.median(seconds):.1f} s",
        },
        peaks=peaks,
    )


def time_rows(running: Fleet, provider: Provider, rows: int) -> float:
    """Return the seconds of a task; raise RuntimeError if a row was called twice or not at all."""
    provider.keys.clear()
    seconds = running.time_task(running.upload(rows, "call"))
    if len(provider.keys) != rows or len(set(provider.keys)) != rows:
        raise RuntimeError(f"{rows} rows made {len(provider.keys)} calls")
    return seconds


if __name__ == "__main__":
    main(measure)
