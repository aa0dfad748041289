"""Replaces the function with which an action calls the outside, and records each call."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

SERVER_ERROR = 503  # an HTTP status that leaves open what happened
LOST = (TimeoutError("no answer came"), ConnectionResetError("the connection was cut"))
# what HTTP clients raise in their place
LOST_BY_CLIENTS = {
    "requests": ("ReadTimeout", "ConnectionError"),
    "httpx": ("ReadTimeout", "ReadError"),
}


@dataclass(frozen=True)
class Call:
    """One call that reached the outside."""

    row_number: int | None  # the row in progress; None if there was none
    effect_key: str | None  # of that row
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    within: str  # the method or row that made the call
    answer: Any = field(default=None, compare=False, repr=False)  # None after a refusal, too

    @property
    def carries_key(self) -> bool:
        """Whether the outside could recognise a repetition by the row's effect key."""
        return bool(self.effect_key) and str(self.effect_key) in repr((self.arguments, self.named))

    def __str__(self) -> str:
        named = [f"{name}={value!r}" for name, value in self.named.items()]
        return f"({', '.join([*map(repr, self.arguments), *named])})"


@dataclass(frozen=True)
class BadAnswer:
    """An answer that means neither yes nor no, or a lost one."""

    what: str  # for messages, after "the answer being"
    make: Callable[[Any], Any]  # returns or raises the bad answer, given the real one


@dataclass(frozen=True)
class AnswerFault:
    """A fault that replaces the answer to a call, although the call takes effect."""

    place: int  # of the call, from 0
    row_number: int | None
    bad: BadAnswer
    is_permanent: bool  # also replaces the answers to all later calls of that row

    def applies_to(self, place: int, row_number: int | None) -> bool:
        """Say whether the fault replaces the answer to this call."""
        is_later = self.is_permanent and place > self.place and row_number == self.row_number
        return place == self.place or is_later


class Calls:
    """Stands in for the function with which an action calls the outside.

    Put it where the action looks up that function. `answer` returns the answers (default: None),
    and may change objects of the test. `lost` is the exception, or the exceptions, that the real
    function raises if no answer comes (default: Python's, and those of the HTTP clients that are
    imported). `unclear` are answers of the real function that leave open
    what happened. A 503 is added if answers have a `status_code`.
    """

    def __init__(
        self,
        answer: Callable[..., Any] = lambda *_, **__: None,
        *,
        lost: Exception | Sequence[Exception] | None = None,
        unclear: Sequence[Any] = (),
    ) -> None:
        self.answer = answer
        self.lost = [lost] if isinstance(lost, Exception) else list(lost or lost_by_default())
        self.unclear = list(unclear)
        self.made: list[Call] = []
        self.answer_fault: AnswerFault | None = None
        self._within: tuple[str, int | None, str | None] = ("a test", None, None)
        self._boundary: Callable[[str], None] = lambda _: None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Record the call and answer it; the worker may die before and after."""
        within, row_number, effect_key = self._within
        self._boundary(f"within {within}, before its call reached the outside")
        place = len(self.made)
        self.made.append(Call(row_number, effect_key, arguments, named, within))
        fault = self.answer_fault
        if fault and not fault.applies_to(place, row_number):
            fault = None
        answer = None
        try:
            answer = self.answer(*arguments, **named)
        except Exception:
            if fault is None:
                raise
        self.made[place] = replace(self.made[place], answer=answer)
        self._boundary(f"within {within}, after its call and before the answer came back")
        return fault.bad.make(answer) if fault else answer

    @contextmanager
    def of_row(
        self,
        within: str,
        row_number: int | None,
        effect_key: str | None,
        boundary: Callable[[str], None],
    ) -> Iterator[None]:
        """Attribute calls inside the block to a row."""
        before = self._within, self._boundary
        self._within, self._boundary = (within, row_number, effect_key), boundary
        try:
            yield
        finally:
            self._within, self._boundary = before

    def forget(self, *, answer_fault: AnswerFault | None = None) -> None:
        """Forget all calls; from now on, inject `answer_fault`."""
        self.made = []
        self.answer_fault = answer_fault

    def bad_answers(self, call: Call) -> Iterator[BadAnswer]:
        """Yield the bad answers that may replace the answer to a call."""
        for error in self.lost:
            yield BadAnswer(f"{error!r} instead, and so lost", partial(throw, error))
        for answer in self.unclear:
            yield BadAnswer(f"{answer!r} instead, which says nothing", partial(give, answer))
        if isinstance(getattr(call.answer, "status_code", None), int):
            yield BadAnswer(f"HTTP status {SERVER_ERROR} instead", with_server_error)

    def of(self, row_number: int) -> list[Call]:
        """Return the calls of one row."""
        return [call for call in self.made if call.row_number == row_number]


def lost_by_default() -> Iterator[Exception]:
    """Yield what functions raise if no answer comes."""
    yield from LOST
    for name, errors in LOST_BY_CLIENTS.items():
        for error in errors if name in sys.modules else ():
            yield getattr(sys.modules[name], error)("no answer came")


def throw(error: Exception, _answer: Any) -> Any:
    """Raise the real function's exception for a lost answer."""
    raise error


def give(unclear: Any, _answer: Any) -> Any:
    """Return an answer that leaves open what happened."""
    return unclear


def with_server_error(answer: Any) -> Any:
    """Return the HTTP answer with a status that leaves open what happened."""
    changed = copy.copy(answer)
    changed.status_code = SERVER_ERROR
    return changed
