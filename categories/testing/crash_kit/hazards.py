"""What may befall a worker in a test? Death at any boundary, a bad row; and who looks on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections

from categories.contract import Context, Effects
from categories.testing.crash_kit.calls import Calls
from categories.testing.crash_kit.leaks import files_opened, is_write
from piston.database.swallowed_errors import find_swallowed


class Died(BaseException):
    """A worker was killed; no plugin can catch it by accident."""


class Caught(AssertionError):
    """The crash kit found a fault; an action that catches exceptions never gets to see it."""


class BadRow(Exception):
    """Something is wrong with a row, and only the end of its batch shows it."""


class Hazard:
    """Nothing happens to the worker; what the action does beside its transaction is noted.

    `effects` None: nobody looks (a plain run).
    """

    def __init__(self, effects: Effects | None = None, calls: Calls | None = None) -> None:
        self.effects = effects
        self.calls = calls
        self.leaks: list[str] = []  # sentences
        self.writes = 0  # statements that may write, so far
        self.is_dead = False
        self.where = ""  # the boundary the worker died at; "" when it came past all

    def boundary(self, where: str) -> None:
        """Hear where the run is; a subclass may raise Died."""

    def spoil(self, numbers: Sequence[int]) -> None:
        """Hear which rows an action has just worked off; a subclass may raise."""

    def replace_worker(self) -> None:
        """Let another worker take over."""
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
        """Make each statement and call of an action's method a boundary, and note its leaks."""
        with ExitStack() as stack:
            connection = connections[context.database]
            stack.enter_context(connection.execute_wrapper(self._statement(what, may_write)))
            if self.effects in (Effects.NONE, Effects.DATABASE):
                for other in connections.all(initialized_only=True):
                    if other.alias != context.database:
                        wrapper = self._elsewhere(what, other.alias)
                        stack.enter_context(other.execute_wrapper(wrapper))
                stack.enter_context(files_opened(lambda path: self._leak_file(what, path)))
            if self.calls is not None:
                entered = self.calls.of_row(what, row_number, context.effect_key, self.boundary)
                stack.enter_context(entered)
            asked = len(connection.run_on_commit)
            try:
                yield
            except Died:
                raise
            except BaseException:
                self.refuse_survivors()
                raise
            self.refuse_survivors()
            refuse_swallowed_errors(what, context.database)
            if self.effects is not None and len(connection.run_on_commit) > asked:
                self.leaks.append(
                    f"In {what} it asked for something after the commit (transaction.on_commit):"
                    " a worker that dies right after the commit never does it."
                )

    def refuse_survivors(self) -> None:
        """Raise Caught when the action went on although its worker had died."""
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

    def _leak_file(self, what: str, path: str) -> None:
        self.leaks.append(
            f"In {what} it changed the file {path}: a crash does not undo that. Write to the"
            " database, or declare effects = Effects.EXTERNAL."
        )


class DiesOnce(Hazard):
    """Kills the worker at one boundary, the first time it comes there; the dead do nothing more.

    `fault` says what befalls its rows besides.
    """

    def __init__(self, at: int, fault: Hazard) -> None:
        super().__init__(fault.effects, fault.calls)
        self.at = at
        self.fault = fault
        self.seen = 0

    def boundary(self, where: str) -> None:
        """Die, if this is the one."""
        self.seen += 1
        if self.seen == self.at:
            self.is_dead, self.where = True, where
        if self.is_dead:
            raise Died

    def spoil(self, numbers: Sequence[int]) -> None:
        """Let happen what the fault does."""
        self.fault.spoil(numbers)


class FailsAtFirst(Hazard):
    """Each batch fails when it is run for the first time, without any row's being bad."""

    def __init__(self, effects: Effects | None, calls: Calls | None = None) -> None:
        super().__init__(effects, calls)
        self.failed: set[int] = set()

    def spoil(self, numbers: Sequence[int]) -> None:
        """Raise BadRow at the first sight of a batch of several rows."""
        if len(numbers) > 1 and not self.failed.intersection(numbers):
            self.failed.update(numbers)
            raise BadRow("something that did not happen again")


class HasBadRow(Hazard):
    """One row makes every batch fail that it is in."""

    def __init__(self, effects: Effects | None, number: int) -> None:
        super().__init__(effects)
        self.number = number

    def spoil(self, numbers: Sequence[int]) -> None:
        """Raise BadRow when the bad row is among them."""
        if self.number in numbers:
            raise BadRow(f"row {self.number} is bad, for a test")


def refuse_swallowed_errors(what: str, using: str) -> None:
    """Raise Caught when the action caught an error and left a transaction that is lost with it."""
    if found := find_swallowed(using):
        raise Caught(f"In {what}: {found} A task fails such a row, or ends.") from found


def shorten(sql: Any) -> str:
    """Return the beginning of a statement, in one line."""
    text = " ".join(str(sql).split())
    if "SAVEPOINT" in text[:25]:
        return text.partition(' "')[0]  # its name tells nothing
    return text if len(text) <= 60 else text[:60] + "…"
