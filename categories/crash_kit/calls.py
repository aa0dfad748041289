"""What does an action call outside, and for which row? A stand-in for it that remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call that reached the outside."""

    row_number: int | None  # the row that was being worked off; None: none was
    effect_key: str | None  # of that row
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    within: str  # the method or row it came from

    @property
    def carries_key(self) -> bool:
        """Whether the outside could know the call again by the row's effect key."""
        return bool(self.effect_key) and str(self.effect_key) in repr((self.arguments, self.named))

    def __str__(self) -> str:
        named = [f"{name}={value!r}" for name, value in self.named.items()]
        return f"({', '.join([*map(repr, self.arguments), *named])})"


class Calls:
    """Stands in for the function with which an action calls the outside.

    Put it where the action looks that function up. `answer` gives the answers (default: None), and
    may change a world of the test's own. `lost` is what the real function raises when no answer
    comes.
    """

    def __init__(
        self, answer: Callable[..., Any] = lambda *_, **__: None, *, lost: Exception | None = None
    ) -> None:
        self.answer = answer
        self.lost = lost or TimeoutError("no answer came")
        self.made: list[Call] = []
        self.loses: int | None = None  # the call, from 0, whose answer is lost
        self._within: tuple[str, int | None, str | None] = ("a test", None, None)
        self._boundary: Callable[[str], None] = lambda _: None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Note the call and answer it; the worker may die before and after."""
        within, row_number, effect_key = self._within
        self._boundary(f"within {within}, before its call reached the outside")
        place = len(self.made)
        self.made.append(Call(row_number, effect_key, arguments, named, within))
        answer = self.answer(*arguments, **named)
        self._boundary(f"within {within}, after its call and before the answer came back")
        if place == self.loses:
            raise self.lost
        return answer

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

    def forget(self, *, loses: int | None = None) -> None:
        """Begin anew, perhaps with a call whose answer will be lost."""
        self.made = []
        self.loses = loses

    def of(self, row_number: int) -> list[Call]:
        """Return the calls of one row."""
        return [call for call in self.made if call.row_number == row_number]
