"""Sends a row to the outside in a test, as in a task but without back-off."""

from __future__ import annotations

from dataclasses import dataclass

from categories.contract import Context, Outcome, Row, RowAction, RowFailed, StopTask, Succeeded
from categories.running import calls
from categories.running.failures import Indeterminate, ToldToWait, Unanswered
from categories.testing.crash_kit.fault_injection import Caught, FaultInjector

MAX_PAUSES = 100  # that a row may be asked for; a task limits their time


@dataclass
class SendingTrial:
    """Sends one row through a worker's action; repeats it, if allowed, until an answer comes."""

    worker: RowAction
    context: Context
    injector: FaultInjector
    what: str
    number: int  # of the row
    attempt_count: int  # so far
    is_strict: bool

    def run(self, row: Row | RowFailed) -> Outcome:
        """Return the row's outcome; it is not sent if the journal says that it may have been."""
        if isinstance(row, RowFailed):
            return row
        most = self.worker.max_attempts if self.worker.idempotent else 1
        outcome: Outcome = Indeterminate(calls.DIED)
        pauses_left = MAX_PAUSES
        while self.attempt_count < most:
            self.attempt_count += 1
            self.injector.boundary(f"after {self.what} was journaled, before it was sent")
            outcome = self._call(row)
            if isinstance(outcome, ToldToWait):
                self.attempt_count -= 1
                pauses_left -= 1
                if not pauses_left:
                    return RowFailed("put off for ever") if not self.attempt_count else outcome
            elif not isinstance(outcome, Unanswered):
                self.injector.boundary(f"after {self.what} was sent, before the commit")
                break
        return outcome

    def _call(self, row: Row) -> Outcome:
        """Call the action once; a strict test raises exceptions that are no answer."""
        try:
            with self.injector.watch(self.what, self.context, row_number=self.number):
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
