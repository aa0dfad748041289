"""Runs the trials of a crash test: all of them, or as many as fit into a time, evenly spread."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

DEFAULT_SECONDS = 60.0
MIN_TRIALS = 5  # are run even if the time is over
PROGRESS_SECONDS = 5.0  # between two lines; a shorter test prints nothing


@dataclass(frozen=True)
class Planned:
    """A run with a fault at one boundary; `run` raises AssertionError if it is not survived."""

    run: Callable[[], None]
    is_death: bool = False
    is_done: bool = False  # only its result is to be compared


class Survived(int):
    """How many deaths an action survived. As text: how many of all boundaries were tried."""

    tried: int
    boundaries: int

    def __new__(cls, deaths: int, tried: int, boundaries: int) -> Self:
        """Return the number of deaths, with the two counts."""
        survived = super().__new__(cls, deaths)
        survived.tried, survived.boundaries = tried, boundaries
        return survived

    def __str__(self) -> str:
        return f"tried {self.tried:,} of {self.boundaries:,} boundaries"


@dataclass
class Sampling:
    """The trials of one action, and the time for them; `seconds` None means all of them."""

    name: str
    seconds: float | None = DEFAULT_SECONDS
    started: float = field(default_factory=monotonic)

    def go_through(self, trials: Sequence[Planned], run_seconds: float) -> Survived:
        """Run the trials, of which one takes about `run_seconds`."""
        deadline = float("inf") if self.seconds is None else self.started + self.seconds
        is_sample = monotonic() + len(trials) * run_seconds > deadline
        order: Iterable[Planned] = spread(trials) if is_sample else trials
        tried = deaths = 0
        printed = self.started
        for trial in order:
            if is_sample and tried >= MIN_TRIALS and monotonic() > deadline:
                break
            trial.run()
            tried += 1
            deaths += trial.is_death
            if monotonic() - printed > PROGRESS_SECONDS:
                printed = monotonic()
                self._print(Survived(deaths, tried, len(trials)))
        survived = Survived(deaths, tried, len(trials))
        if tried < len(trials):
            self._print(survived, "; seconds=None tries all of them")
        return survived

    def _print(self, survived: Survived, more: str = "") -> None:
        took = monotonic() - self.started
        print(f"crash kit: {self.name}: {survived} in {took:.0f} s{more}", file=sys.stderr)  # noqa: T201


def spread(trials: Sequence[Planned]) -> list[Planned]:
    """Return those that are done, then the others in an order of which each beginning is even.

    The first is followed by the one in the middle, by those in the middle of the halves, and so
    on: places are sorted by their bits in reverse.
    """
    done = [trial for trial in trials if trial.is_done]
    others = [trial for trial in trials if not trial.is_done]
    width = len(others).bit_length()
    places = sorted(range(len(others)), key=lambda place: f"{place:0{width}b}"[::-1])
    return done + [others[place] for place in places]
