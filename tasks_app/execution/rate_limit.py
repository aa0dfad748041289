"""Keeps an action to its rate limit over all workers, by reservations on one clock."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from categories.contract import Action
from piston.database import locks
from tasks_app.models import ActionPace, Segment
from tasks_app.models.clock import SLACK_SECONDS, database_time

MAX_WAIT_SECONDS = 1.0  # a worker that would wait longer takes other work instead


def wait_for_turn(segment: Segment, action: type[Action], row_count: int) -> bool:
    """Wait until `row_count` rows may begin; False if other rows came first.

    The account's limit is asked first, and the action's after the wait for it. So rows that their
    account's limit holds back take nothing of the limit that all accounts share. Nor do they hold
    a worker for long: their segment is left alone for a while.
    """
    name = f"{segment.task.category}/{segment.task.action}"
    of_all, of_account = action.rows_per_second, action.account_rows_per_second
    if of_account is not None:
        if of_all is not None and is_full(name, of_all):
            time.sleep(MAX_WAIT_SECONDS)
            return False
        wait = reserve(f"{name}/{segment.task.account_id}", row_count, of_account)
        if wait is None:
            leave_alone(segment, MAX_WAIT_SECONDS)
            return False
        time.sleep(wait)
    if of_all is not None:
        wait = reserve(name, row_count, of_all)
        time.sleep(MAX_WAIT_SECONDS if wait is None else wait)
        return wait is not None
    return True


def is_full(name: str, rows_per_second: float) -> bool:
    """Say whether the reservations reach so far ahead that no more are made."""
    ahead = ActionPace.objects.filter(pk=name, free_at__gt=database_time(MAX_WAIT_SECONDS))
    longest = database_time(longest_queue_seconds(rows_per_second))
    return ahead.filter(free_at__lt=longest).exists()


def leave_alone(segment: Segment, seconds: float) -> None:
    """Let nobody claim the segment for so long; nothing if the claim was overtaken."""
    Segment.objects.fence(segment).update(retry_at=database_time(seconds))


def slowest(action: type[Action]) -> float | None:
    """Return the lower of an action's two limits; None if it has none."""
    limits = [action.rows_per_second, action.account_rows_per_second]
    return min((limit for limit in limits if limit is not None), default=None)


def wait_unless_needed(seconds: float) -> bool:
    """Wait until a row may be sent again; False when the worker should take other work instead.

    The next worker to claim the segment keeps to the same time.
    """
    if seconds > MAX_WAIT_SECONDS or Segment.objects.claimable().exists():
        return False
    time.sleep(seconds)
    return True


def longest_queue_seconds(rows_per_second: float) -> float:
    """Return how far ahead reservations can reach: each begins within MAX_WAIT_SECONDS."""
    most_rows = max(1.0, rows_per_second)  # of a batch: at most the rows of one second
    return MAX_WAIT_SECONDS + most_rows / rows_per_second + SLACK_SECONDS


@transaction.atomic
def reserve(name: str, row_count: int, rows_per_second: float) -> float | None:
    """Reserve time for `row_count` rows; return the seconds until it begins.

    None, with nothing reserved, when that is more than MAX_WAIT_SECONDS away.

    The reservations of all workers queue up on the database's clock. All tasks of an action, or of
    an account, share one row, so a worker waits only briefly for its lock.
    """
    locks.wait_briefly()
    ActionPace.objects.bulk_create([ActionPace(action=name, free_at=Now())], ignore_conflicts=True)
    pace = ActionPace.objects.select_for_update().annotate(clock=Now()).get(pk=name)
    clock: datetime = pace.clock
    wait = max(0.0, (pace.free_at - clock).total_seconds())
    if wait > longest_queue_seconds(rows_per_second):  # the database's clock was put back
        wait, pace.free_at = 0.0, clock
    if wait > MAX_WAIT_SECONDS:
        return None
    needed = timedelta(seconds=row_count / rows_per_second)
    ActionPace.objects.filter(pk=name).update(free_at=max(pace.free_at, clock) + needed)
    return wait
