"""The history of numbers: each change is recorded in its own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from categories.database.bulk import insert_rows
from categories.number_management.models import NumberChange


class Change(NamedTuple):
    """A change of a number; the fields are in the order of the table's columns."""

    number: str
    action: str
    from_state: str | None
    to_state: str | None
    from_account: str | None
    to_account: str | None
    by_account: str | None
    task_id: str | None
    at: datetime


def add_changes(changes: Sequence[Change], *, using: str) -> None:
    """Add changes to the history, in one statement."""
    insert_rows(NumberChange, Change._fields, changes, using)


def describe_change(
    number: str,
    action: str,
    before: tuple[str | None, str | None],
    after: tuple[str | None, str | None],
    now: datetime,
) -> Change:
    """Return a change that no task made; `before` and `after` are state and account."""
    (from_state, from_account), (to_state, to_account) = before, after
    return Change(number, action, from_state, to_state, from_account, to_account, None, None, now)
