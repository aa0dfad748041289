"""Runs a batch of rows; if it fails, halves it until exactly the bad row fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import Any, Self

from django.db import (
    DEFAULT_DB_ALIAS,
    Error,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connections,
    transaction,
)

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
from categories.errors import ActionWaits, RowTimedOut
from categories.running.failure_log import log_row
from categories.running.failures import Stopping, describe_failure
from categories.running.time_limit import time_limit
from piston.database import database_errors, table_faults
from piston.database.swallowed_errors import find_swallowed, refuse_swallowed
from piston.disk_reserve import DiskFull
from piston.plurals import plural

SUCCEEDED = Succeeded()  # the outcome of each row for which the action returns None
NOT_THE_ROWS_FAULT = (OperationalError, InterfaceError, DiskFull, RowTimedOut, ActionWaits)


class WroteBeforeFailing(Exception):
    """A row failed after it had written; it must run alone, so that its writes are undone."""


def require_outcome(answer: object) -> None:
    """Raise an answer that is a RowFailed, as if it had been raised; refuse one of another type.

    Otherwise the row would be reported as failed, and what it has written would be kept.
    """
    if isinstance(answer, RowFailed):
        raise answer
    if not isinstance(answer, Succeeded):
        kind = type(answer).__name__
        raise TypeError(f"the action answered with {kind}, which is no outcome")


class Attempt:
    """Runs rows through an action; returns outcomes of all, or of the first ones if time is up."""

    def __init__(self, action: RowAction, context: Context, seconds: float) -> None:
        self.action = action
        self.process = action.process
        self.context = context
        self.seconds = seconds
        self.deadline = monotonic() + seconds
        self.writes = action.effects is Effects.DATABASE
        self.takes_batches = type(action).process_batch is not RowAction.process_batch

    def run(self, rows: Sequence[Row | RowFailed]) -> list[Outcome]:
        """Run the rows as one batch; after any exception, nothing of it may be kept."""
        with classified_errors(self.context.database), self.limit(len(rows)):
            outcomes = self._run_batch(rows) if self.takes_batches else self._run_rows(rows)
        refuse_swallowed(self.context.database)
        return outcomes

    def limit(self, row_count: int) -> AbstractContextManager[None]:
        """Limit the time of a run; a batch gets the attempt's seconds in addition to a row's."""
        more = self.seconds if row_count > 1 else 0
        return time_limit(self.action.row_seconds + more)

    def may_be_a_rows_fault(self, error: Exception) -> bool:
        """Say whether a row may have caused the error, so that halving may find it."""
        return not isinstance(error, NOT_THE_ROWS_FAULT)

    def _run_rows(self, rows: Sequence[Row | RowFailed]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        process, context, deadline = self.process, self.context, self.deadline
        written = 0
        using = context.database
        with WriteCounter(using) if self.writes else nullcontext() as counter:
            for row in rows:  # runs millions of times: avoid every call
                if isinstance(row, RowFailed):
                    outcomes.append(row)
                    continue
                if monotonic() > deadline and outcomes:
                    break
                try:
                    outcome = process(row, context)
                    if outcome is None:
                        outcome = SUCCEEDED
                    elif outcome.__class__ is not Succeeded:
                        require_outcome(outcome)
                    outcomes.append(outcome)
                except RowFailed as failed:
                    if counter and (counter.writes > written or find_swallowed(using)):
                        raise WroteBeforeFailing from failed
                    outcomes.append(failed.with_traceback(None))  # a traceback keeps all rows alive
                if counter:
                    written = counter.writes
        return outcomes

    def _run_batch(self, rows: Sequence[Row | RowFailed]) -> list[Outcome]:
        good = [row for row in rows if not isinstance(row, RowFailed)]
        answers = self.action.process_batch(good, self.context) if good else []
        if len(answers) != len(good):
            raise ValueError(
                f"process_batch answered {len(answers)} {plural('outcome', len(answers))}"
                f" for {len(good)} {plural('row', len(good))}."
            )
        for answer in answers:
            if answer.__class__ is not Succeeded and not isinstance(answer, RowFailed):
                require_outcome(answer)
        answered = iter(answers)
        return [row if isinstance(row, RowFailed) else next(answered) for row in rows]

    def split(self, rows: Sequence[Row | RowFailed]) -> list[Outcome]:
        """Run the rows in halves, each in a savepoint, down to the single bad row."""
        try:
            with self._savepoint():
                outcomes = self.run(rows)
                if self.writes:  # otherwise foreign keys are checked only at COMMIT
                    connections[self.context.database].check_constraints()
                return outcomes
        except Exception as error:
            if not self.may_be_a_rows_fault(error):
                raise
            if len(rows) == 1:
                wait_for_table(error)
                return [self._failure(error, rows[0])]
        middle = len(rows) // 2
        outcomes = self.split(rows[:middle])
        if (
            len(outcomes) < middle
            or isinstance(outcomes[-1], Stopping)
            or monotonic() > self.deadline
        ):
            return outcomes
        return outcomes + self.split(rows[middle:])

    def _savepoint(self) -> AbstractContextManager[Any]:
        return transaction.atomic(self.context.database) if self.writes else nullcontext()

    def _failure(self, error: Exception, row: Row | RowFailed) -> RowFailed:
        if isinstance(error, StopTask):
            return Stopping(error.reason)
        if isinstance(error, WroteBeforeFailing) and isinstance(error.__cause__, RowFailed):
            return error.__cause__
        if isinstance(error, RowFailed):
            return error
        if not isinstance(row, RowFailed):
            log_row("A row failed unexpectedly", self.context.task_id, row_number(row), error)
        return RowFailed(describe_failure(error))


class WriteCounter:
    """Counts the statements inside a block that may write to the database."""

    def __init__(self, using: str) -> None:
        self.writes = 0
        self._wrapper: AbstractContextManager[None] = connections[using].execute_wrapper(
            self._count
        )

    def __enter__(self) -> Self:
        self._wrapper.__enter__()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._wrapper.__exit__(None, None, None)

    def _count(self, execute: Callable[..., Any], sql: Any, *arguments: Any) -> Any:
        if not str(sql).lstrip("( \n").upper().startswith("SELECT"):
            self.writes += 1
        return execute(sql, *arguments)


@contextmanager
def classified_errors(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Translate a plugin's database errors, to separate a missing table from a bad row.

    Raises ActionWaits if the database lacks something. An error that a row caused never leaves this
    block as an OperationalError, because that means that the database is unavailable.
    """
    try:
        with connections[using].wrap_database_errors:  # some plugins use the driver directly
            yield
    except Error as error:
        if database_errors.is_missing(error):
            raise ActionWaits(database_errors.describe(error)) from error
        if database_errors.is_of_statement(error):
            raise ProgrammingError(*error.args) from error
        raise


def wait_for_table(error: Exception) -> None:
    """Raise ActionWaits if a table refuses good rows; call it after the rollback."""
    if fault := table_faults.find_fault(error):
        raise ActionWaits(fault) from error
