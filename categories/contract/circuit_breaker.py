"""Declares when a task pauses because the service behind its action fails, and when it gives up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from categories.columns.arguments import Declared

MAX_PAUSE_SECONDS = 3_600.0
MAX_NUMBER = 10**9  # of seconds, a database can add this to a time


@dataclass(frozen=True)
class CircuitBreaker(metaclass=Declared):
    """Pauses a task while its calls fail, and tries one row after each pause.

    A call fails if it gets no answer, or RetryLater. A refusal (RowFailed) is an answer.
    Numbers that make no sense are a wrong declaration.
    """

    share: float = 0.8  # of the calls in a window that fail; from here on the task pauses
    min_calls: int = 10  # in that window: fewer prove nothing
    window_seconds: float = 120.0
    pause_seconds: float = 30.0  # before each trial
    give_up_seconds: float = 86_400.0  # of pauses and failed trials; then the task ends

    def __post_init__(self) -> None:
        for problem in self.find_problems():
            raise ValueError(problem)

    def find_problems(self) -> Iterator[str]:
        """Yield a sentence for each number that makes no sense."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                yield f"{field.name} must be more than 0, but is {value}"
            elif value > MAX_NUMBER:
                yield f"{field.name} must be at most {MAX_NUMBER:,}, but is {value}"
        if self.share > 1:
            yield f"share must be at most 1, but is {self.share}"
        if self.pause_seconds > MAX_PAUSE_SECONDS:
            longest = f"{MAX_PAUSE_SECONDS:g}"
            yield f"pause_seconds must be at most {longest}, but is {self.pause_seconds}"
