"""What does a worker know of the next external rows: the row, its journal entry, its outcome?"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from categories.contract import Outcome, RowAction, RowFailed
from categories.running import calls
from categories.running.failures import (
    Indeterminate,
    ToldToWait,
    Unanswered,
    describe_failure,
    stop_reason,
)
from tasks_app.execution.out_and_failed_csv import Written
from tasks_app.execution.runs import ReadRow
from tasks_app.models import Effect, EffectState, SettledAs
from tasks_app.models.clock import SLACK_SECONDS

MIN_PAUSE_SECONDS = 1.0  # before the second attempt of a row; doubles with each further attempt
MAX_PAUSE_SECONDS = 60.0


@dataclass(eq=False)
class ExternalRow:
    """One of the next rows of a segment."""

    read: ReadRow
    entry: Effect | None = None  # in the journal
    first_sent: float = 0.0  # on this process's monotonic clock, if there is an entry
    is_due: bool = True
    was_sent: bool = False  # by this worker, in this group
    outcome: Outcome | None = None  # that this worker has found
    written: Written | None = None  # its lines: it is finished
    pause: float | None = None  # seconds until it is sent again

    @property
    def number(self) -> int:
        """Its number in the input."""
        return self.read.number

    @property
    def attempt_count(self) -> int:
        """How many attempts may have had an effect."""
        return self.entry.attempt_count if self.entry else 0

    @property
    def is_finished(self) -> bool:
        """Is its outcome final?"""
        return self.written is not None or (self.outcome is not None and self.pause is None)

    @property
    def must_be_kept(self) -> bool:
        """Is it in the journal, without its lines?"""
        return self.entry is not None and self.entry.state != EffectState.KNOWN

    @property
    def is_indeterminate(self) -> bool:
        """Is it finished, but with an outcome that nobody knows?"""
        return self.written is not None and self.written.indeterminate_count > 0

    @property
    def age(self) -> float:
        """Seconds since it was first sent; 0 before that."""
        return monotonic() - self.first_sent if self.entry else 0.0

    def join(self, entry: Effect, longest_pause: float) -> None:
        """Take over what the journal said of the row just now, by the database's clock.

        A pause that lasts longer than any can is over: the clock was put back.
        """
        clock = entry.clock  # type: ignore[attr-defined]
        self.entry = entry
        self.first_sent = monotonic() - (clock - entry.sent_at).total_seconds()
        wait = (entry.retry_at - clock).total_seconds() if entry.retry_at else 0.0
        self.is_due = wait <= 0 or wait > longest_pause + SLACK_SECONDS
        self.pause = None if self.is_due else wait
        if entry.state == EffectState.KNOWN:
            self.written = written_in(entry)


def decide(row: ExternalRow, action: RowAction) -> None:
    """Set the outcome of a row that needs no call (any more)."""
    if row.written is not None:
        return
    if isinstance(row.read.parsed, RowFailed):
        # If an earlier attempt was sent, the row passed its column checks at that time.
        row.outcome = unknown(row.entry) if row.entry and row.attempt_count else row.read.parsed
    elif row.entry and row.attempt_count and not may_be_repeated(row, action):
        row.outcome = unknown(row.entry)
    elif row.entry and not row.attempt_count and row.age > action.retry_seconds:
        row.outcome = given_up(action)
    if row.outcome is not None:
        row.pause = None


def find_pause(row: ExternalRow, action: RowAction) -> float | None:
    """Return in how many seconds a row that was just sent is sent again; None if it is not."""
    if isinstance(row.outcome, ToldToWait):
        pause = row.outcome.seconds
        return pause if row.age + pause < action.retry_seconds else None
    if not isinstance(row.outcome, Unanswered):
        return None
    doublings = min(row.attempt_count - 1, 30)
    pause = min(MIN_PAUSE_SECONDS * 2.0**doublings, MAX_PAUSE_SECONDS)
    return pause if may_be_repeated(row, action, in_seconds=pause) else None


def may_be_repeated(row: ExternalRow, action: RowAction, *, in_seconds: float = 0) -> bool:
    """Say whether a row without an answer may be sent again, `in_seconds` from now."""
    if not action.idempotent or row.attempt_count >= action.max_attempts:
        return False
    return row.age + in_seconds < action.retry_seconds


def is_failed_call(outcome: Outcome | None) -> bool:
    """Say whether a call failed for the circuit breaker: no answer, or told to come later.

    A table that the action lacks is no fault of the service.
    """
    is_lost = isinstance(outcome, Unanswered) and not outcome.missing
    return is_lost or isinstance(outcome, ToldToWait)


# ---- Outcomes ------------------------------------------------------------------------------------


def unknown(effect: Effect, why: str = "") -> Indeterminate:
    """Return the outcome of a row that was sent and whose answer will never be known."""
    outcome = Indeterminate(
        why or effect.last_error or calls.DIED, attempt_count=effect.attempt_count
    )
    outcome.was_asked = False
    return outcome


def given_up(action: RowAction) -> RowFailed:
    """Return the outcome of a row that certainly had no effect, and is not sent any more."""
    return RowFailed(f"not done: for {action.retry_seconds:g} s the service asked to wait")


def unwritable(outcome: Outcome, error: Exception) -> Indeterminate:
    """Return the outcome of a sent row whose answer a working database cannot store."""
    why = f"it was sent, but the answer cannot be written ({describe_failure(error)})"
    return Indeterminate(why, stop_reason=stop_reason(outcome))


def found_nothing_missing(outcome: Outcome | None) -> bool:
    """Say whether a sent row needed nothing that the database lacks."""
    return not isinstance(outcome, Unanswered) or not outcome.missing


def written_in(entry: Effect) -> Written:
    """Return the lines of a row whose outcome the journal has."""
    is_success = entry.settled_as == SettledAs.SUCCEEDED
    return Written(
        output=bytes(entry.output),
        failed=bytes(entry.failed),
        success_count=int(is_success),
        failure_count=int(not is_success),
        indeterminate_count=int(entry.settled_as == SettledAs.INDETERMINATE),
    )
