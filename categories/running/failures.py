"""The outcomes of rows that did not succeed, and their messages for tenants and staff."""

from __future__ import annotations

import re
from typing import Self

from categories.contract import Outcome, RowFailed
from categories.errors import UndeclaredOutput
from piston.masking import mask

MAX_MESSAGE_LENGTH = 1_000  # characters of an error cell
ABOUT_VALUES = (
    ArithmeticError,
    AssertionError,
    LookupError,
    TypeError,
    ValueError,
    UndeclaredOutput,
)
PLACE = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"]+|(?<![\w/.])/[^\s'\"/]+/[^\s'\"]*", re.IGNORECASE)


class Indeterminate(RowFailed):
    """It is unknown whether the row's effect happened; the row is not sent again.

    `stop_reason` is set if the action stopped the task on this row.
    """

    was_asked = True  # False: only earlier workers sent the row

    def __init__(self, why: str, *, attempt_count: int = 1, stop_reason: str | None = None) -> None:
        repeated = "it was not repeated"
        if attempt_count > 1:
            repeated = f"it was sent {attempt_count} times with the same effect key"
        super().__init__(f"indeterminate: {why}; {repeated}")
        self.why = why
        self.stop_reason = stop_reason

    def after(self, attempt_count: int) -> Self:
        """Return the same outcome for a row that was sent `attempt_count` times."""
        return type(self)(self.why, attempt_count=attempt_count, stop_reason=self.stop_reason)


class Unanswered(Indeterminate):
    """No usable answer came; another attempt may get one."""

    missing: str = ""  # what the database lacks, if that is the cause

    def after(self, attempt_count: int) -> Self:
        """Return the same outcome for a row that was sent `attempt_count` times."""
        again = super().after(attempt_count)
        again.missing = self.missing
        return again


class ToldToWait(Indeterminate):
    """The service asked for a pause; this attempt had no effect."""

    def __init__(self, why: str, *, seconds: float, attempt_count: int = 1) -> None:
        super().__init__(why, attempt_count=attempt_count)
        self.seconds = seconds

    def after(self, attempt_count: int) -> Self:
        """Return the same outcome for a row that was sent `attempt_count` times."""
        return type(self)(self.why, seconds=self.seconds, attempt_count=attempt_count)


class Stopping(RowFailed):
    """The row on which the action stopped the task."""


def describe_failure(error: BaseException) -> str:
    """Return one line for the tenant: a row's `error` cell, or a part of the task's reason.

    It names no file, host, statement or secret. An unexpected error shows its text only if it is
    about values. Other errors come from the action's environment and show only their type.
    """
    if isinstance(error, RowFailed):
        return mask(str(error))[:MAX_MESSAGE_LENGTH]
    kind = type(error).__name__
    if isinstance(error, OSError) or not isinstance(error, ABOUT_VALUES):
        return f"{kind}: the details are in the log"
    return f"{kind}: {PLACE.sub('…', mask(str(error)))}"[:MAX_MESSAGE_LENGTH]


def describe_fully(error: BaseException) -> str:
    """Return one line for staff."""
    return mask(f"{type(error).__name__}: {error}")[:MAX_MESSAGE_LENGTH]


def storable(text: str) -> str:
    """Return a plugin's text without secrets, and without what PostgreSQL refuses.

    It refuses NUL and surrogates.
    """
    kept = mask(text).replace("\0", "\\x00").encode(errors="backslashreplace").decode()
    return kept[:MAX_MESSAGE_LENGTH]


def stop_reason(outcome: Outcome) -> str | None:
    """Return why the action stopped the task on this row; None if it did not."""
    if isinstance(outcome, Stopping):
        return storable(outcome.message)
    if isinstance(outcome, Indeterminate) and outcome.stop_reason is not None:
        return storable(outcome.stop_reason)
    return None
