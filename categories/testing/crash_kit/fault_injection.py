"""Injects faults into a worker in a test: death at any boundary, a failing batch, a bad row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections

from categories.contract import Context, Effects
from categories.testing.crash_kit.calls import Calls
from categories.testing.crash_kit.leaks import is_write, leaks_reported
from piston.database.swallowed_errors import find_swallowed


class Died(BaseException):
    """A worker was killed; a BaseException, so that plugins do not catch it by accident."""


class Caught(AssertionError):
    """The crash kit found a fault in an action; raised outside of the action's own code."""


class BadRow(Exception):
    """A row is bad, which shows only at the end of its batch."""


class FaultInjector:
    """Injects no fault, but records effects of the action outside its transaction.

    With `effects` None it records nothing, for a plain run.
    """

    def __init__(self, effects: Effects | None = None, calls: Calls | None = None) -> None:
        self.effects = effects
        self.calls = calls
        self.leaks: list[str] = []  # sentences
        self.writes = 0  # statements that may write, so far
        self.is_dead = False
        self.where = ""  # the boundary at which the worker died; "" if it passed all

    def boundary(self, where: str) -> None:
        """Mark a point at which a worker may die; a subclass may raise Died."""

    def after_rows(self, numbers: Sequence[int]) -> None:
        """Mark that the action has processed these rows; a subclass may raise."""

    def replace_worker(self) -> None:
        """Let another worker continue."""
        self.is_dead = False

    @contextmanager
    def watch(
        self,
        what: str,
        context: Context,
        *,
        may_write: bool = True,
        row_number: int | None = None,
    ) -> Iterator[None]:
        """Make each statement and call of an action's method a boundary, and record its leaks."""
        with ExitStack() as stack:
            connection = connections[context.database]
            stack.enter_context(connection.execute_wrapper(self._statement(what, may_write)))
            if self.effects in (Effects.NONE, Effects.DATABASE):
                for other in connections.all(initialized_only=True):
                    if other.alias != context.database:
                        wrapper = self._elsewhere(what, other.alias)
                        stack.enter_context(other.execute_wrapper(wrapper))
                report = leaks_reported(lambda did: self.leaks.append(f"In {what} it {did}"))
                stack.enter_context(report)
            if self.calls is not None:
                entered = self.calls.of_row(what, row_number, context.effect_key, self.boundary)
                stack.enter_context(entered)
            asked = len(connection.run_on_commit)
            try:
                yield
            except Died:
                raise
            except BaseException:
                self.refuse_caught_death()
                raise
            self.refuse_caught_death()
            refuse_swallowed_errors(what, context.database)
            if self.effects is not None and len(connection.run_on_commit) > asked:
                self.leaks.append(
                    f"In {what} it asked for something after the commit (transaction.on_commit):"
                    " a worker that dies right after the commit never does it."
                )

    def refuse_caught_death(self) -> None:
        """Raise Caught if the action continued although its worker had died."""
        if self.is_dead:
            raise Caught(
                f"The worker died {self.where}, and the action went on: it catches BaseException,"
                " or everything (`except:`), and so time-outs and shutdowns as well. Catch"
                " Exception, or less."
            )

    def _statement(self, what: str, may_write: bool) -> Callable[..., Any]:
        def wrapper(execute: Callable[..., Any], sql: Any, *arguments: Any) -> Any:
            short = shorten(sql)
            self.boundary(f"within {what}, before {short}")
            if is_write(sql):
                self.writes += 1
                if self.effects is not None and not may_write:
                    self.leaks.append(
                        f"In {what} it wrote to the database ({short}), which no transaction"
                        " undoes: permitted is asked again after a crash, and so is what declares"
                        " effects = Effects.NONE."
                    )
            answer = execute(sql, *arguments)
            self.boundary(f"within {what}, after {short}")
            return answer

        return wrapper

    def _elsewhere(self, what: str, alias: str) -> Callable[..., Any]:
        def wrapper(execute: Callable[..., Any], sql: Any, *arguments: Any) -> Any:
            if is_write(sql):
                self.leaks.append(
                    f"In {what} it wrote over the connection {alias!r} ({shorten(sql)}), outside of"
                    " the batch's transaction: a crash does not undo that. Use context.database."
                )
            return execute(sql, *arguments)

        return wrapper


class DiesOnce(FaultInjector):
    """Kills the worker at boundary number `at`, once; a dead worker can do nothing more.

    `fault` injects a fault into rows in addition.
    """

    def __init__(self, at: int, fault: FaultInjector) -> None:
        super().__init__(fault.effects, fault.calls)
        self.at = at
        self.fault = fault
        self.seen = 0

    def boundary(self, where: str) -> None:
        """Raise Died at the chosen boundary, and at all later ones of the dead worker."""
        self.seen += 1
        if self.seen == self.at:
            self.is_dead, self.where = True, where
        if self.is_dead:
            raise Died

    def after_rows(self, numbers: Sequence[int]) -> None:
        """Let the other fault happen."""
        self.fault.after_rows(numbers)


class FailsAtFirst(FaultInjector):
    """Fails each batch when it first runs, although no row is bad."""

    def __init__(self, effects: Effects | None, calls: Calls | None = None) -> None:
        super().__init__(effects, calls)
        self.failed: set[int] = set()

    def after_rows(self, numbers: Sequence[int]) -> None:
        """Raise BadRow at the first run of a batch of several rows."""
        if len(numbers) > 1 and not self.failed.intersection(numbers):
            self.failed.update(numbers)
            raise BadRow("something that did not happen again")


class HasBadRow(FaultInjector):
    """Fails every batch that contains one bad row."""

    def __init__(self, effects: Effects | None, number: int) -> None:
        super().__init__(effects)
        self.number = number

    def after_rows(self, numbers: Sequence[int]) -> None:
        """Raise BadRow if the bad row is among them."""
        if self.number in numbers:
            raise BadRow(f"row {self.number} is bad, for a test")


def refuse_swallowed_errors(what: str, using: str) -> None:
    """Raise Caught if the action caught a database error, which makes its transaction unusable."""
    if found := find_swallowed(using):
        raise Caught(f"In {what}: {found} A task fails such a row, or ends.") from found


def shorten(sql: Any) -> str:
    """Return the beginning of a statement, in one line."""
    text = " ".join(str(sql).split())
    if "SAVEPOINT" in text[:25]:
        return text.partition(' "')[0]  # without its meaningless name
    return text if len(text) <= 60 else text[:60] + "…"
