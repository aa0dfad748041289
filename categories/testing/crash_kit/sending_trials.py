"""How is a row sent to the outside in a test? As in a task, but without pauses."""

from __future__ import annotations

from dataclasses import dataclass

from categories.contract import Context, Outcome, Row, RowAction, RowFailed, StopTask, Succeeded
from categories.running import calls
from categories.running.failures import Indeterminate, Unanswered
from categories.testing.crash_kit.hazards import Caught, Hazard


@dataclass
class SendingTrial:
    """Sends one row through a worker's action: again, if that is allowed, until it is answered."""

    worker: RowAction
    context: Context
    hazard: Hazard
    what: str
    number: int  # of the row
    attempt_count: int  # so far
    is_strict: bool

    def run(self, row: Row) -> Outcome:
        """Return what became of the row."""
        most = self.worker.max_attempts if self.worker.idempotent else 1
        outcome: Outcome = Indeterminate(calls.DIED)
        while self.attempt_count < most:
            self.attempt_count += 1
            self.hazard.boundary(f"after {self.what} was journaled, before it was sent")
            outcome = self._call(row)
            if not isinstance(outcome, Unanswered):
                self.hazard.boundary(f"after {self.what} was sent, before the commit")
                break
        return outcome

    def _call(self, row: Row) -> Outcome:
        """Call the action once. A strict test wants to see exceptions that are no answer."""
        try:
            with self.hazard.watch(self.what, self.context, row_number=self.number):
                answer: object = self.worker.process(row, self.context)
        except Exception as error:
            is_meant = isinstance(error, RowFailed | StopTask)
            if isinstance(error, Caught) or (self.is_strict and not is_meant):
                raise
            outcome = calls.outcome_of_error(error, self.context, self.number)
        else:
            if answer is not None and not isinstance(answer, Succeeded | RowFailed):
                raise Caught(f"In {self.what} it answered {answer!r}, which is no outcome.")
            outcome = calls.outcome_of(answer)
        return calls.qualify(outcome, self.attempt_count) if self.attempt_count > 1 else outcome
