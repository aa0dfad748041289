"""Whose fault is it that something failed? A row's, the action's, or what is around both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from categories.contract import StopTask
from categories.running import attempts
from categories.running.attempts import classified_errors, wait_for_table
from categories.running.failures import describe_failure, describe_fully
from tasks_app.errors import ActionBroken, LedgerRefused, PistonError

NOT_THE_ROWS_FAULT = (*attempts.NOT_THE_ROWS_FAULT, LedgerRefused)


@contextmanager
def action_errors(what: str = "the action failed") -> Iterator[None]:
    """Turn what a plugin raises where no row can be blamed into ActionBroken."""
    try:
        with classified_errors():
            yield
    except (PistonError, StopTask, *NOT_THE_ROWS_FAULT):
        raise
    except Exception as error:
        wait_for_table(error)
        why = f"{what}: {describe_failure(error)}"
        raise ActionBroken(why, detail=describe_fully(error)) from error
