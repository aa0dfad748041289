"""How is a row sent to the outside in a test? As in a task, but without pauses."""

from __future__ import annotations

from dataclasses import dataclass

from categories.contract import Context, Outcome, Row, RowAction, RowFailed, StopTask, Succeeded
from categories.testing.crash_kit.batch_trials import Indeterminate, describe_failure
from categories.testing.crash_kit.hazards import Caught, Hazard


class Unanswered(Exception):
    """Nobody knows yet whether the row's effect happened."""


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
        why = "a worker died, or lost the database, while it was being sent"
        while self.attempt_count < most:
            self.attempt_count += 1
            self.hazard.boundary(f"after {self.what} was journaled, before it was sent")
            try:
                outcome = self._doubt(self._call(row))
            except Unanswered as unanswered:
                why = str(unanswered)
            else:
                self.hazard.boundary(f"after {self.what} was sent, before the commit")
                return outcome
        return Indeterminate(why, attempt_count=self.attempt_count)

    def _call(self, row: Row) -> Outcome:
        """Call the action; an exception that is none of the contract's says nothing."""
        outcome: object
        try:
            with self.hazard.watch(self.what, self.context, row_number=self.number):
                outcome = self.worker.process(row, self.context)
        except RowFailed as failed:
            return failed
        except StopTask as stop:
            why = f"the action stopped the task: {stop}"
            return Indeterminate(why, attempt_count=self.attempt_count, stop_reason=stop.reason)
        except Exception as error:
            if self.is_strict or isinstance(error, Caught):
                raise
            raise Unanswered(describe_failure(error)) from error
        if outcome is None:
            return Succeeded()
        if not isinstance(outcome, Succeeded | RowFailed):
            raise Caught(f"In {self.what} it answered {outcome!r}, which is no outcome.")
        return outcome

    def _doubt(self, outcome: Outcome) -> Outcome:
        """Return what a refusal says of a row that was sent before: only the last time counts."""
        is_refused = isinstance(outcome, RowFailed) and not isinstance(outcome, Indeterminate)
        if self.attempt_count == 1 or not is_refused:
            return outcome
        why = f"an earlier attempt had no answer, the last one was refused ({outcome})"
        return Indeterminate(why, attempt_count=self.attempt_count)
