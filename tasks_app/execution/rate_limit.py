"""Keeps an action to its rate limit over all workers, by reservations on one clock."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from piston.database import locks
from tasks_app.models import ActionPace, Segment, Task
from tasks_app.models.clock import SLACK_SECONDS

MAX_WAIT_SECONDS = 1.0  # a worker that would wait longer takes other work instead


def wait_for_turn(task: Task, row_count: int, rows_per_second: float) -> bool:
    """Wait until `row_count` rows may begin; False, after a second, if other rows came first."""
    wait = reserve(task, row_count, rows_per_second)
    time.sleep(MAX_WAIT_SECONDS if wait is None else wait)
    return wait is not None


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
def reserve(task: Task, row_count: int, rows_per_second: float) -> float | None:
    """Reserve time for `row_count` rows; return the seconds until it begins.

    None, with nothing reserved, when that is more than MAX_WAIT_SECONDS away.

    The reservations of all workers queue up on the database's clock. All tasks of an action share
    one row, so a worker waits only briefly for its lock.
    """
    locks.wait_briefly()
    name = f"{task.category}/{task.action}"
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
