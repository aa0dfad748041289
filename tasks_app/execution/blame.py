"""Tells an error of the action as a whole from errors that no action or row has caused."""

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
    """Raise ActionBroken for an error of the plugin that belongs to no single row."""
    try:
        with classified_errors():
            yield
    except (PistonError, StopTask, *NOT_THE_ROWS_FAULT):
        raise
    except Exception as error:
        wait_for_table(error)
        why = f"{what}: {describe_failure(error)}"
        raise ActionBroken(why, detail=describe_fully(error)) from error
