"""Whose segment does a free worker take next? The account's that has waited longest (ADR 9)."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from functools import lru_cache
from time import monotonic

from django.db import transaction
from django.db.models import BigIntegerField, Case, F, When
from django.db.models.functions import Greatest, Now

from categories import registry
from piston.compiled_queries import CompiledSelect, CompiledUpdate, Slot
from piston.node import node_name
from tasks_app.execution.suspects import SHRINKAGE
from tasks_app.models import AccountTurn, Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.models.segment import Offered, is_of_kinds

TRIES = 5  # candidates that other workers took first, before giving up for this message
LOOK_SECONDS = 0.05  # at least, between two looks for newcomers


def claim_next(message_id: str, claim_seconds: float) -> Segment | None:
    """Claim the segment whose turn it is, or return None when there is nothing to do.

    A message only wakes a worker up; which task it works on is decided here, so
    that no tenant waits behind another: first the account that was served
    longest ago, then that account's task that was.
    """
    offered = registry.offered()
    for _ in range(TRIES if offered else 0):
        candidates = whose_turn(offered).fetch(message_id=message_id)
        if not candidates:
            return None
        if claimed := claim(candidates[0], message_id, claim_seconds):
            return claimed
    return None


class Newcomers:
    """Tasks of other accounts that were started and that nobody has worked on yet.

    A worker leaves its task to them after the batch in hand: they need not wait for its slice
    to end. Each is new only once, so however many accounts there are, slices stay long.
    """

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self.look_at = monotonic() + LOOK_SECONDS

    def are_waiting(self) -> bool:
        """Is there one? The database is asked twenty times a second at most."""
        if monotonic() < self.look_at:
            return False
        self.look_at = monotonic() + LOOK_SECONDS
        offered = registry.offered()
        return bool(offered and newcomers(offered).fetch(account_id=self.account_id))


def worker_name() -> str:
    """Return the host and the process that claims are made by."""
    return f"{socket.gethostname()}:{os.getpid()}"


def give_back(message_id: str) -> None:
    """Give back what this worker claimed for a message, whether or not it learned of it."""
    for segment in Segment.objects.filter(claimed_for=message_id, claimed_by=worker_name()):
        segment.release()


@transaction.atomic
def claim(candidate: Segment, message_id: str, claim_seconds: float) -> Segment | None:
    """Take one segment for this worker, or return None if another took it first.

    The claim is one guarded UPDATE that raises the claim number; from then on
    no older claim can commit. The task's row is locked first: so the limit on
    its workers holds, and locks are taken in the same order everywhere.
    """
    SERVE_TASK.run(task_id=candidate.task_id, node=node_name())
    claimed = CLAIM_SEGMENT.run(
        segment_id=candidate.pk,
        message_id=message_id,
        worker=worker_name(),
        held_for=timedelta(seconds=claim_seconds),
    )
    if not claimed:
        return None
    account_id = candidate.task.account_id
    if not SERVE_ACCOUNT.run(account_id=account_id):
        AccountTurn.objects.bulk_create(
            [AccountTurn(account_id=account_id, served_at=Now())], ignore_conflicts=True
        )
    (segment,) = READ_SEGMENT.fetch(segment_id=candidate.pk)
    return segment


MESSAGE = Slot.text("message_id")
SEGMENT = Slot.number("segment_id")


# Every slice of a second sends these, and a small task waits for them.
@lru_cache(maxsize=8)  # it changes with what is registered
def whose_turn(offered: Offered) -> CompiledSelect[Segment]:
    """Return the query for the segment whose turn it is, among what this process can run."""
    return CompiledSelect(
        lambda: (
            Segment.objects.claimable(MESSAGE)
            .of_kinds(offered)
            .with_room()
            .select_related("task")
            .order_by(
                F("task__account__turn__served_at").asc(nulls_first=True),
                F("task__served_at").asc(nulls_first=True),
                "task_id",
                F("cursor_row") - F("end_row"),  # the longest: so all end at about one time
                "index",
            )[:1]
        )
    )


@lru_cache(maxsize=8)
def newcomers(offered: Offered) -> CompiledSelect[Task]:
    """Return the query for a task of another account that is new, among those."""
    return CompiledSelect(
        lambda: (
            Task.objects.running()
            .filter(is_of_kinds(offered), served_at=None)
            .exclude(account=Slot.text("account_id"))[:1]
        )
    )


SERVE_TASK = CompiledUpdate(
    lambda: Task.objects.filter(pk=Slot.text("task_id")),
    served_at=Now(),
    node=Slot.text("node"),
    unfit_since=None,
)
CLAIM_SEGMENT = CompiledUpdate(
    lambda: Segment.objects.claimable(MESSAGE).with_room().filter(pk=SEGMENT),
    claim=F("claim") + 1,
    claimed_until=database_time(Slot.duration("held_for")),
    claimed_by=Slot.text("worker"),
    claimed_for=MESSAGE,
    idle_claims=F("idle_claims") + 1,
    # the last claim ended without a commit: a worker may have died of one of these rows
    careful_until_row=Case(
        When(idle_claims__gt=0, then=F("cursor_row") + F("batch_size")),
        default=F("careful_until_row"),
        output_field=BigIntegerField(),
    ),
    batch_size=Case(
        When(
            idle_claims__gt=0,
            then=Greatest(F("batch_size") / SHRINKAGE, 1, output_field=BigIntegerField()),
        ),
        default=F("batch_size"),
        output_field=BigIntegerField(),
    ),
)
SERVE_ACCOUNT = CompiledUpdate(
    lambda: AccountTurn.objects.filter(account=Slot.text("account_id")), served_at=Now()
)
READ_SEGMENT = CompiledSelect(lambda: Segment.objects.select_related("task").filter(pk=SEGMENT))
