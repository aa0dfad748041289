"""Pauses a task while its outside service fails: its circuit breaker, shared by all workers.

Closed: rows are sent, and calls are counted. Open (`failing_since` is set): nobody claims the
task's segments until `paused_until`. Half-open: after that, one worker sends one row. An answer
closes the breaker; otherwise the next pause begins.
"""

from __future__ import annotations

import enum
import logging

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from categories.contract import CircuitBreaker, RowAction
from piston.database.compiled_queries import CompiledUpdate, Slot
from tasks_app import events
from tasks_app.errors import ClaimLost
from tasks_app.models import EventKind, Task
from tasks_app.models.clock import database_time
from tasks_app.models.task import TaskQuerySet
from tasks_app.states import Ending

logger = logging.getLogger(__name__)

CLOSED = {
    "failing_since": None,
    "paused_until": None,
    "counted_since": None,
    "call_count": 0,
    "failed_call_count": 0,
}


class Admission(enum.Enum):
    """How many rows of its group a worker may send now."""

    ALL = "all"
    ONE = "one"  # the trial of an open breaker
    NONE = "none"


def admit(task: Task, action: RowAction, trial_seconds: float) -> Admission:
    """Say what a worker may send, and lock the task's row: a stop comes either before or after.

    Only one worker gets a trial. If it dies, the next trial is due when its claim has expired.
    Raises ClaimLost when the task no longer runs.
    """
    running = Task.objects.running().filter(pk=task.pk)
    if ADMIT.run(task_id=task.pk):
        return Admission.ALL
    if action.circuit_breaker is None:
        if not running.update(revision=F("revision")):
            raise ClaimLost
        return Admission.ALL
    due = Q(paused_until=None) | Q(paused_until__lt=Now())
    if running.filter(due).update(paused_until=database_time(trial_seconds)):
        return Admission.ONE
    if not running.exists():
        raise ClaimLost
    return Admission.NONE


ADMIT = CompiledUpdate(  # compiled: runs for every group that is sent
    lambda: Task.objects.running().filter(pk=Slot.text("task_id"), failing_since=None),
    revision=F("revision"),
)


def count(
    task: Task, action: RowAction, *, call_count: int, failed_count: int, is_trial: bool
) -> None:
    """Count a group's calls; open, close or leave the breaker, or end the task.

    Call it in the transaction of the group's outcomes, with the task's row locked.
    """
    breaker = action.circuit_breaker
    running = Task.objects.running().filter(pk=task.pk)
    if breaker is None:
        return
    if is_trial:
        if failed_count < call_count:
            close(running)
        elif not give_up(task, breaker):
            running.update(paused_until=database_time(breaker.pause_seconds))
        return
    begins = Q(counted_since=None) | Q(counted_since__lt=database_time(-breaker.window_seconds))
    running.update(
        call_count=Case(When(begins, then=Value(call_count)), default=F("call_count") + call_count),
        failed_call_count=Case(
            When(begins, then=Value(failed_count)), default=F("failed_call_count") + failed_count
        ),
        counted_since=Case(When(begins, then=Now()), default=F("counted_since")),
    )
    fails = running.filter(
        failing_since=None,
        call_count__gte=breaker.min_calls,
        failed_call_count__gte=F("call_count") * breaker.share,
    )
    if failed_count and fails.update(
        failing_since=Now(),
        paused_until=database_time(breaker.pause_seconds),
        reason=describe(breaker),
        revision=F("revision") + 1,
    ):
        logger.warning("Task %s pauses: its calls to the outside fail", task.pk)


def describe(breaker: CircuitBreaker) -> str:
    """Return the reason that clients see while the breaker is open."""
    every = f"every {breaker.pause_seconds:g} seconds"
    return f"paused: calls to the outside service fail; one row is tried {every}"


def close(running: TaskQuerySet) -> None:
    """Close the breaker: an answer came."""
    closed = {**CLOSED, "reason": "", "revision": F("revision") + 1}
    running.exclude(failing_since=None).update(**closed)


def give_up(task: Task, breaker: CircuitBreaker) -> bool:
    """End a task whose service has failed for too long; it can be retried."""
    too_long = database_time(-breaker.give_up_seconds)
    if not Task.objects.running().filter(pk=task.pk, failing_since__lt=too_long).exists():
        return False
    reason = f"calls to the outside service failed for {breaker.give_up_seconds:g} seconds"
    if task.end_work(Ending.BROKEN, reason):
        events.record(task, EventKind.BROKEN, events.SYSTEM, detail=reason)
    return True
