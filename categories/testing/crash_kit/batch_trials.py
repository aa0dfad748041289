"""How is a batch called in a test? By the engine of a task, with a hazard that looks on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from django.db import connections

from categories.contract import Context, Effects, Outcome, Row, RowAction, RowFailed, StopTask
from categories.contract.rows import row_number
from categories.running.attempts import Attempt, WroteBeforeFailing
from categories.testing.crash_kit.hazards import Caught, Hazard
from piston.database.swallowed_errors import SwallowedError


class BatchTrial(Attempt):
    """Runs the rows of one batch through a worker's action. No row is timed in a test."""

    def __init__(
        self, action: RowAction, context: Context, hazard: Hazard, what: str, *, is_strict: bool
    ) -> None:
        super().__init__(action, context, float("inf"))
        self.hazard = hazard
        self.what = what
        self.is_strict = is_strict
        self.process = self._process_watched

    def run(self, rows: Sequence[Row | RowFailed]) -> list[Outcome]:
        """Run the rows at once, while the hazard looks on."""
        may_write = self.action.effects is not Effects.NONE
        with self.hazard.watch(self.what, self.context, may_write=may_write):
            try:
                outcomes = super().run(rows)
            except SwallowedError:
                outcomes = []  # the hazard sees it as well, and tells an author more
        if self.writes:  # a test has no COMMIT that would look at them
            connections[self.context.database].check_constraints()
        self.hazard.spoil([row_number(row) for row in rows if not isinstance(row, RowFailed)])
        return outcomes

    def limit(self, row_count: int) -> AbstractContextManager[None]:
        """Let rows take as long as they like: somebody may step through them."""
        return nullcontext()

    def may_be_a_rows_fault(self, error: Exception) -> bool:
        """Say whether a task would look for a bad row; a strict test wants to see the exception."""
        if isinstance(error, Caught) or not super().may_be_a_rows_fault(error):
            return False
        return not self.is_strict or isinstance(error, StopTask | RowFailed | WroteBeforeFailing)

    def _process_watched(self, row: Row, context: Context) -> Outcome | None:
        outcome: Outcome | None
        try:
            outcome = self.action.process(row, context)
        except RowFailed as failed:
            outcome = failed
        self.hazard.refuse_survivors()  # here: another row would die once more, and hide it
        if isinstance(outcome, RowFailed):
            raise outcome
        return outcome
