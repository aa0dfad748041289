"""How is a batch called in a test? As in a task: at once, and in halves when that fails."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import InterfaceError, OperationalError, connections, transaction

from categories.contract import (
    Context,
    Effects,
    Outcome,
    Row,
    RowAction,
    RowFailed,
    StopTask,
    Succeeded,
)
from categories.contract.rows import row_number
from categories.testing.crash_kit.hazards import Caught, Hazard
from piston.plurals import plural


class Indeterminate(RowFailed):
    """Nobody knows whether the row's effect happened; it is not repeated.

    `stop_reason` is set where the action stopped the task on this row.
    """

    def __init__(self, why: str, *, attempt_count: int = 1, stop_reason: str = "") -> None:
        repeated = "it was not repeated"
        if attempt_count > 1:
            repeated = f"it was sent {attempt_count} times with the same effect key"
        super().__init__(f"indeterminate: {why}; {repeated}")
        self.stop_reason = stop_reason


class Stopping(RowFailed):
    """The row on which the action stopped the task."""


class WroteBeforeFailing(Exception):
    """A row failed after it had written; it has to be run alone, so that its writes are undone."""


class BatchTrial:
    """Runs the rows of one batch through a worker's action."""

    def __init__(
        self, action: RowAction, context: Context, hazard: Hazard, what: str, *, is_strict: bool
    ) -> None:
        self.action = action
        self.context = context
        self.hazard = hazard
        self.what = what
        self.is_strict = is_strict
        self.writes = action.effects is Effects.DATABASE
        self.takes_batches = type(action).process_batch is not RowAction.process_batch

    def may_be_halved(self, error: Exception) -> bool:
        """Say whether a task would look for a bad row; a strict test wants to see the exception."""
        if isinstance(error, Caught | OperationalError | InterfaceError):
            return False
        return not self.is_strict or isinstance(error, StopTask | RowFailed | WroteBeforeFailing)

    def run(self, rows: Sequence[Row | RowFailed]) -> list[Outcome]:
        """Return an outcome for each row; those that a column rejected do not reach the action."""
        good = [row for row in rows if not isinstance(row, RowFailed)]
        answers: Sequence[Outcome] = ()
        may_write = self.action.effects is not Effects.NONE
        with self.hazard.watch(self.what, self.context, may_write=may_write):
            if good and self.takes_batches:
                answers = self.action.process_batch(good, self.context)
            elif good:
                answers = [self._run_row(row) for row in good]
        if len(answers) != len(good):
            said = f"{len(answers)} {plural('outcome', len(answers))}"
            raise Caught(f"{said} for {len(good)} {plural('row', len(good))}")
        if self.writes:  # else foreign keys are looked at by a commit that a test does not have
            connections[self.context.database].check_constraints()
        self.hazard.spoil([row_number(row) for row in good])
        answered = iter(answers)
        return [row if isinstance(row, RowFailed) else next(answered) for row in rows]

    def _run_row(self, row: Row) -> Outcome:
        written = self.hazard.writes
        try:
            outcome = self.action.process(row, self.context) or Succeeded()
        except RowFailed as failed:
            outcome = failed
        self.hazard.refuse_survivors()  # here: another row would die once more, and hide it
        if isinstance(outcome, RowFailed) and self.writes and self.hazard.writes > written:
            raise WroteBeforeFailing from outcome
        return outcome

    def split(self, rows: Sequence[Row | RowFailed]) -> list[Outcome]:
        """Run the rows in halves, each in a savepoint, down to the single bad row."""
        try:
            with self._savepoint():
                return self.run(rows)
        except Exception as error:
            if not self.may_be_halved(error):
                raise
            if len(rows) == 1:
                return [as_failure(error)]
        middle = len(rows) // 2
        outcomes = self.split(rows[:middle])
        if isinstance(outcomes[-1], Stopping):
            return outcomes
        return outcomes + self.split(rows[middle:])

    def _savepoint(self) -> AbstractContextManager[Any]:
        return transaction.atomic(using=self.context.database) if self.writes else nullcontext()


def as_failure(error: Exception) -> RowFailed:
    """Return the outcome of a row that raised when it was run alone."""
    if isinstance(error, StopTask):
        return Stopping(error.reason)
    if isinstance(error, WroteBeforeFailing) and isinstance(error.__cause__, RowFailed):
        return error.__cause__
    return error if isinstance(error, RowFailed) else RowFailed(describe_failure(error))


def describe_failure(error: Exception) -> str:
    """Return one line about an exception that is none of the contract's."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]
