"""What does an action call outside, and for which row? A stand-in for it that remembers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

SERVER_ERROR = 503  # an HTTP status that leaves open what happened
LOST = (TimeoutError("no answer came"), ConnectionResetError("the connection was cut"))


@dataclass(frozen=True)
class Call:
    """One call that reached the outside."""

    row_number: int | None  # the row that was being worked off; None: none was
    effect_key: str | None  # of that row
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    within: str  # the method or row it came from
    answer: Any = field(default=None, compare=False, repr=False)  # None also: it was refused

    @property
    def carries_key(self) -> bool:
        """Whether the outside could know the call again by the row's effect key."""
        return bool(self.effect_key) and str(self.effect_key) in repr((self.arguments, self.named))

    def __str__(self) -> str:
        named = [f"{name}={value!r}" for name, value in self.named.items()]
        return f"({', '.join([*map(repr, self.arguments), *named])})"


@dataclass(frozen=True)
class BadAnswer:
    """What comes instead of an answer, and says neither yes nor no."""

    what: str  # for messages, behind "the answer being"
    spoil: Callable[[Any], Any]  # returns it, or raises, given what the answer would have been


@dataclass(frozen=True)
class Mishap:
    """A call does what it is to do, and its answer is a bad one."""

    place: int  # of the call, from 0
    row_number: int | None
    bad: BadAnswer
    stays: bool  # for all later calls of that row, too

    def befalls(self, place: int, row_number: int | None) -> bool:
        """Say whether it happens to a call."""
        is_later = self.stays and place > self.place and row_number == self.row_number
        return place == self.place or is_later


class Calls:
    """Stands in for the function with which an action calls the outside.

    Put it where the action looks that function up. `answer` gives the answers (default: None), and
    may change a world of the test's own. `lost` is what the real function raises when no answer
    comes, or several such exceptions. `unclear` are answers that the real function may return and
    that leave open what happened; an answer with a `status_code` may always be a 503.
    """

    def __init__(
        self,
        answer: Callable[..., Any] = lambda *_, **__: None,
        *,
        lost: Exception | Sequence[Exception] = LOST,
        unclear: Sequence[Any] = (),
    ) -> None:
        self.answer = answer
        self.lost = [lost] if isinstance(lost, Exception) else list(lost)
        self.unclear = list(unclear)
        self.made: list[Call] = []
        self.mishap: Mishap | None = None
        self._within: tuple[str, int | None, str | None] = ("a test", None, None)
        self._boundary: Callable[[str], None] = lambda _: None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Note the call and answer it; the worker may die before and after."""
        within, row_number, effect_key = self._within
        self._boundary(f"within {within}, before its call reached the outside")
        place = len(self.made)
        self.made.append(Call(row_number, effect_key, arguments, named, within))
        mishap = self.mishap if self.mishap and self.mishap.befalls(place, row_number) else None
        answer = None
        try:
            answer = self.answer(*arguments, **named)
        except Exception:
            if mishap is None:
                raise
        self.made[place] = replace(self.made[place], answer=answer)
        self._boundary(f"within {within}, after its call and before the answer came back")
        return mishap.bad.spoil(answer) if mishap else answer

    @contextmanager
    def of_row(
        self,
        within: str,
        row_number: int | None,
        effect_key: str | None,
        boundary: Callable[[str], None],
    ) -> Iterator[None]:
        """Know for a while which row is being worked off."""
        before = self._within, self._boundary
        self._within, self._boundary = (within, row_number, effect_key), boundary
        try:
            yield
        finally:
            self._within, self._boundary = before

    def forget(self, *, mishap: Mishap | None = None) -> None:
        """Begin anew, perhaps with a call whose answer will be a bad one."""
        self.made = []
        self.mishap = mishap

    def bad_answers(self, call: Call) -> Iterator[BadAnswer]:
        """Yield what may come instead of the answer to a call."""
        for error in self.lost:
            yield BadAnswer(f"{error!r} instead, and so lost", partial(throw, error))
        for answer in self.unclear:
            yield BadAnswer(f"{answer!r} instead, which says nothing", partial(give, answer))
        if isinstance(getattr(call.answer, "status_code", None), int):
            yield BadAnswer(f"HTTP status {SERVER_ERROR} instead", with_server_error)

    def of(self, row_number: int) -> list[Call]:
        """Return the calls of one row."""
        return [call for call in self.made if call.row_number == row_number]


def throw(error: Exception, _answer: Any) -> Any:
    """Raise what the real function raises when no answer comes."""
    raise error


def give(unclear: Any, _answer: Any) -> Any:
    """Return what the real function may return, and what leaves open what happened."""
    return unclear


def with_server_error(answer: Any) -> Any:
    """Return an HTTP answer whose status leaves open what happened."""
    changed = copy.copy(answer)
    changed.status_code = SERVER_ERROR
    return changed
