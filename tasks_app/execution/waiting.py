"""What if an action needs a table, a column or a right that the database lacks? Its task waits.

A migration or a grant is somebody's work, so its rows are tried again now and then. Where the
action asks for what will never be there, nothing helps: the sweeper ends the task after a day.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from time import monotonic

from django.db import Error
from django.db.models.functions import Coalesce, Now

from tasks_app.errors import ActionWaits
from tasks_app.execution.output_lines import storable
from tasks_app.execution.releasing import hand_back
from tasks_app.models import Segment, Task
from tasks_app.models.clock import database_time

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 10.0  # before the rows are tried again
SAY_SECONDS = 60.0  # between two lines in a process's log about the same task
MOST_REMEMBERED = 10_000  # tasks

_said_at: dict[str, float] = {}  # of this process alone: it saves lines and decides nothing


def wait(segment: Segment, error: ActionWaits) -> None:
    """Give a segment back for a while, and write down what its task waits for."""
    say(segment.task_id, error)
    waiting = Task.objects.running().filter(pk=segment.task_id)
    mine = Segment.objects.filter(pk=segment.pk, claim=segment.claim)
    with suppress(Error):
        waiting.update(
            waiting_since=Coalesce("waiting_since", Now()), waiting_for=storable(str(error))
        )
        mine.update(retry_at=database_time(PAUSE_SECONDS))
    hand_back(segment)


def say(task_id: str, error: ActionWaits) -> None:
    """Tell staff, once a minute."""
    if monotonic() - _said_at.get(task_id, float("-inf")) < SAY_SECONDS:
        return
    if len(_said_at) >= MOST_REMEMBERED:
        _said_at.clear()
    _said_at[task_id] = monotonic()
    logger.error(
        "Task %s waits, no row is to blame: its action needs what the database lacks (%s)."
        " Migrate, grant the right, or repair the table; it then goes on by itself",
        task_id,
        error,
    )
