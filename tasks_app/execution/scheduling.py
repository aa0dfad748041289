"""Decides whose turn it is: which segment a free worker serves next (ADR 9).

Accounts take turns, and so do the tasks of an account.
"""

from __future__ import annotations

from functools import lru_cache
from time import monotonic

from django.db import transaction
from django.db.models import F, QuerySet

from categories import registry
from piston.database import locks
from piston.database.compiled_queries import CompiledSelect, Slot
from piston.database.locks import but_locked
from tasks_app.models import Segment, Task
from tasks_app.models.segment import Offered, is_of_kinds

MIN_CHECK_SECONDS = 0.05  # between two checks for new tasks


class NewTasks:
    """Tasks of other accounts that were started and that no worker has served yet.

    A worker ends its slice early for them, after the current batch. Each task is new only once,
    so slices stay long however many accounts there are.
    """

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self.check_at = monotonic() + MIN_CHECK_SECONDS

    def are_waiting(self) -> bool:
        """Say whether there is one; queries the database every MIN_CHECK_SECONDS at most."""
        if monotonic() < self.check_at:
            return False
        self.check_at = monotonic() + MIN_CHECK_SECONDS
        offered = registry.offered()
        if not offered or not new_tasks(offered).fetch(account_id=self.account_id):
            return False
        if not locks.has_row_locks():
            return True
        with transaction.atomic():  # no worker could claim one that is locked
            return bool(claimable_new_tasks(offered).fetch(account_id=self.account_id))


MESSAGE = Slot.text("message_id")


# These queries are compiled because every slice runs them, and a small task waits for them.
@lru_cache(maxsize=8)  # the registered categories can change
def next_in_turn(offered: Offered, *, unlocked: bool = False) -> CompiledSelect[Segment]:
    """Return the query for the next segment in turn that this process can run.

    With `unlocked`, it skips each segment that is locked, or whose task is.
    """

    def make() -> QuerySet[Segment]:
        first = (
            Segment.objects.claimable(MESSAGE)
            .of_kinds(offered)
            .with_room()
            .select_related("task")
            .order_by(
                F("task__account__turn__served_at").asc(nulls_first=True),
                F("task__served_at").asc(nulls_first=True),
                "task_id",
                F("cursor_row")
                - F("end_row"),  # the longest first, so that all end at about the same time
                "index",
            )[:1]
        )
        return but_locked(first, "task") if unlocked else first

    return CompiledSelect(make)


@lru_cache(maxsize=8)
def new_tasks(offered: Offered) -> CompiledSelect[Task]:
    """Return the query for a new task of another account that this process can run."""
    return CompiledSelect(
        lambda: (
            Task.objects.running()
            .filter(is_of_kinds(offered), served_at=None)
            .exclude(account=Slot.text("account_id"))[:1]
        )
    )


@lru_cache(maxsize=8)
def claimable_new_tasks(offered: Offered) -> CompiledSelect[Segment]:
    """Return the query for a segment of such a task; it skips locked segments and tasks."""
    return CompiledSelect(
        lambda: but_locked(
            Segment.objects.claimable()
            .of_kinds(offered)
            .filter(task__served_at=None)
            .exclude(task__account=Slot.text("account_id"))
            .select_related("task")[:1],
            "task",
        )
    )
