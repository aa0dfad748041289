"""Runs a batch in a test with the engine of a task, under the control of a fault injector."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from django.db import connections

from categories.contract import Context, Effects, Outcome, Row, RowAction, RowFailed, StopTask
from categories.contract.rows import row_number
from categories.running.attempts import Attempt, WroteBeforeFailing
from categories.testing.crash_kit.fault_injection import Caught, FaultInjector
from piston.database.swallowed_errors import SwallowedError


class BatchTrial(Attempt):
    """Runs the rows of one batch through a worker's action, without time limits."""

    def __init__(
        self,
        action: RowAction,
        context: Context,
        injector: FaultInjector,
        what: str,
        *,
        is_strict: bool,
    ) -> None:
        super().__init__(action, context, float("inf"))
        self.injector = injector
        self.what = what
        self.is_strict = is_strict
        self.process = self._process_watched

    def run(self, rows: Sequence[Row | RowFailed]) -> list[Outcome]:
        """Run the rows as one batch, under the control of the fault injector."""
        may_write = self.action.effects is not Effects.NONE
        with self.injector.watch(self.what, self.context, may_write=may_write):
            try:
                outcomes = super().run(rows)
            except SwallowedError:
                outcomes = []  # the injector finds it too, with a better message for authors
        if self.writes:  # a test has no COMMIT that would check them
            connections[self.context.database].check_constraints()
        self.injector.after_rows(
            [row_number(row) for row in rows if not isinstance(row, RowFailed)]
        )
        return outcomes

    def limit(self, row_count: int) -> AbstractContextManager[None]:
        """Set no limit: the author may step through rows in a debugger."""
        return nullcontext()

    def may_be_a_rows_fault(self, error: Exception) -> bool:
        """Say whether a task would look for a bad row; a strict test raises the exception."""
        if isinstance(error, Caught) or not super().may_be_a_rows_fault(error):
            return False
        return not self.is_strict or isinstance(error, StopTask | RowFailed | WroteBeforeFailing)

    def _process_watched(self, row: Row, context: Context) -> Outcome | None:
        outcome: Outcome | None
        try:
            outcome = self.action.process(row, context)
        except RowFailed as failed:
            outcome = failed
        self.injector.refuse_caught_death()  # before the next row, which would die and hide it
        if isinstance(outcome, RowFailed):
            raise outcome
        return outcome
