"""How is something held against a limit? Both take turns in the same run, and the ratio counts."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.servers import Missing

ROUNDS = 5


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    rounds: int = ROUNDS
    is_quick: bool = False  # to see that it works; the figures mean nothing

    def rows(self, count: int) -> int:
        """Return so many rows, or few of them when it has to be quick."""
        return min(count, max(count // 200, 1_000)) if self.is_quick else count


@dataclass
class Comparison:
    """One line of the table: what was held against what, with one ratio per round.

    Exactly one of `at_least` (a share of the limit's speed) and `at_most` (a multiple of the
    limit's time) says what has to be reached; neither: it is only reported.
    """

    name: str
    what: str
    against: str
    ratios: list[float]
    at_least: float | None = None
    at_most: float | None = None
    figures: dict[str, str] = field(default_factory=dict)  # absolute ones, for reading
    peaks: dict[str, float] = field(default_factory=dict)  # MiB of memory, by process

    @property
    def median(self) -> float:
        """The ratio that is judged."""
        return statistics.median(self.ratios)

    @property
    def is_reached(self) -> bool:
        """Is it as fast as it has to be?"""
        above = self.at_least is None or self.median >= self.at_least
        return above and (self.at_most is None or self.median <= self.at_most)

    @property
    def more_is_better(self) -> bool:
        """Does a higher ratio mean faster?"""
        return self.at_most is None

    def line(self) -> str:
        """Return what whoever watches sees."""
        verdict = "ok" if self.is_reached else "SHORT"
        spread = f"{self.median:.2f} ({min(self.ratios):.2f} to {max(self.ratios):.2f})"
        said = [f"{name}: {value}" for name, value in self.figures.items()]
        said += [f"{name}: {peak:,.0f} MiB at most" for name, peak in self.peaks.items()]
        more = "".join(f"\n        {word}" for word in said)
        return f"{verdict:6} {spread:24} {must(self):8} {self.what}, against {self.against}{more}"


def must(comparison: Comparison) -> str:
    """Return what has to be reached, in a word."""
    if comparison.at_least is not None:
        return f"≥ {comparison.at_least:g}"
    return "-" if comparison.at_most is None else f"≤ {comparison.at_most:g}"


def take_turns(
    rounds: int,
    ways: Mapping[str, Callable[[], object]],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Let each way run once per round, in turn, after one round that does not count.

    Returns the seconds of each round by way. A way that returns a float has
    measured its seconds itself. `time.process_time` is the clock for ways that
    only compute: other load on the machine then matters less.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = clock()
            own = way()
            took = own if isinstance(own, float) else clock() - started
            if number:
                seconds[name].append(took)
    return seconds


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the ratio of each two neighbours in time."""
    return [one / other for one, other in zip(over, under, strict=True)]


def per_second(count: int, seconds: Sequence[float], unit: str = "rows") -> str:
    """Return a speed for reading."""
    return f"{count / statistics.median(seconds):,.0f} {unit}/s"


def peak_memory(pid: int | str = "self") -> float:
    """Return the most memory that a process has had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak_memory(pid: int | str = "self") -> None:
    """Let `peak_memory` count from what the process has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def main(measure: Callable[[Scale], Iterator[Comparison]]) -> None:
    """Run one file's measurements; print them, and write them where `make bench` reads."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="see that it works, with few rows")
    chosen = parser.parse_args()
    results = os.environ.get("PISTON_BENCH_RESULTS")
    try:
        for comparison in measure(Scale(chosen.rounds, chosen.quick)):
            print(comparison.line(), flush=True)
            if results:
                with Path(results).open("a") as file:
                    file.write(json.dumps(asdict(comparison)) + "\n")
    except Missing as missing:
        sys.exit(f"NOT MEASURED: {missing}")
