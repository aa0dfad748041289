"""Takes hold of a segment for this worker, and lets go of what it claimed."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import monotonic, sleep

from django.db import OperationalError, connection, transaction
from django.db.models import BigIntegerField, Case, F, When
from django.db.models.functions import Greatest, Now

from categories import registry
from piston.database import locks
from piston.database.compiled_queries import CompiledSelect, CompiledUpdate, Slot
from piston.database.locks import WaitBriefly
from piston.node import node_name
from tasks_app.execution import lock_holders
from tasks_app.execution.poison_rows import SHRINK_FACTOR
from tasks_app.execution.scheduling import MESSAGE, next_in_turn
from tasks_app.models import AccountTurn, Segment, Task
from tasks_app.models.segment import CLAIM, Offered

MAX_ATTEMPTS = 5  # per message, while other workers take the candidates first
MAX_LOCKED_SECONDS = 1.0  # of retrying a segment that is locked
FIRST_PAUSE_SECONDS = 0.02  # between the first two of these attempts; the pauses double


def claim_next(message_id: str, claim_seconds: float) -> Segment | None:
    """Claim the next segment in turn; None when there is nothing to do.

    A message only wakes a worker up; this function chooses the task, so that no account waits
    behind another. It takes the account served longest ago, then that account's task served
    longest ago.
    """
    offered = registry.offered()
    if not offered:
        return None
    if locks.has_row_locks():
        return claim_unlocked(offered, message_id, claim_seconds)
    for _ in range(MAX_ATTEMPTS):
        candidates = next_in_turn(offered).fetch(message_id=message_id)
        if not candidates:
            return None
        if claimed := claim(lambda: candidates, offered, message_id, claim_seconds):  # noqa: B023
            return claimed
    return None


def claim_unlocked(offered: Offered, message_id: str, claim_seconds: float) -> Segment | None:
    """Claim the first segment that is not locked and whose task is not; None when there is none.

    If every segment is locked, another worker may just be committing a batch of the same task. So
    try again for MAX_LOCKED_SECONDS, but do not wait for a lock that is held longer.
    """
    until = monotonic() + MAX_LOCKED_SECONDS
    choose = partial(next_in_turn(offered, unlocked=True).fetch, message_id=message_id)
    pause = FIRST_PAUSE_SECONDS
    while True:
        if claimed := claim(choose, offered, message_id, claim_seconds):
            return claimed
        left = next_in_turn(offered).fetch(message_id=message_id)
        if not left:
            return None
        if monotonic() > until:
            lock_holders.warn(
                left[0].task_id
            )  # logs nothing if no holder is known: workers are busy
            return None
        sleep(pause)
        pause *= 2


def worker_name(process_id: int | None = None) -> str:
    """Return the host and process that claims are made under; by default, of this process."""
    return f"{socket.gethostname()}:{process_id or os.getpid()}"


def release_claims(message_id: str, process_id: int | None = None) -> None:
    """Release what this process, or another of this host, claimed for a message.

    The process may not know that its claim was committed. By now another worker, even on this
    host, may have the message: its claim stays.
    """
    claimed_by = worker_name(process_id)
    for segment in Segment.objects.filter(claimed_for=message_id, claimed_by=claimed_by):
        segment.release_or_uncount()


@transaction.atomic
def claim(
    choose: Callable[[], list[Segment]], offered: Offered, message_id: str, claim_seconds: float
) -> Segment | None:
    """Claim the chosen segment for this worker; None if there is none, or another took it first.

    The claim is one guarded UPDATE that raises the claim number; from then on no older claim can
    commit. The task's row is locked first, so that the limit on its workers holds and locks are
    taken in the same order everywhere.

    From the first claim by a newer version that goes on with it, the task is that version's: the
    older one cannot know what the newer one has written.
    """
    candidate = next(iter(choose()), None)
    if candidate is None:
        return None
    versions = {category: versions[0] for category, versions, _ in offered}
    SERVE_TASK.run(
        task_id=candidate.task_id, node=node_name(), version=versions[candidate.task.category]
    )
    claimed = CLAIM_SEGMENT.run(
        segment_id=candidate.pk,
        message_id=message_id,
        worker=worker_name(),
        held_for=timedelta(seconds=claim_seconds),
    )
    if not claimed:
        return None
    serve_account(candidate.task.account_id)
    (segment,) = READ_SEGMENT.fetch(segment_id=candidate.pk)
    return segment


def serve_account(account_id: str) -> None:
    """Record that the account had its turn; skip a record that is locked."""
    if SERVE_ACCOUNT.run(account_id=account_id):
        return
    turn = AccountTurn(account_id=account_id, served_at=Now())
    try:
        with transaction.atomic():
            AccountTurn.objects.bulk_create([turn], ignore_conflicts=True)
            connection.check_constraints()  # now, as it reads the account, which may be locked
    except OperationalError as error:
        if not locks.is_locked(error):
            raise


SEGMENT = Slot.number("segment_id")
SERVE_TASK = CompiledUpdate(
    lambda: Task.objects.filter(WaitBriefly(), pk=Slot.text("task_id")),
    served_at=Now(),
    node=Slot.text("node"),
    category_version=Slot.text("version"),
    unfit_since=None,
)
CLAIM_SEGMENT = CompiledUpdate(
    lambda: Segment.objects.claimable(MESSAGE).with_room().filter(pk=SEGMENT),
    **CLAIM.taken(Slot.duration("held_for")),
    claimed_by=Slot.text("worker"),
    claimed_for=MESSAGE,
    idle_claims=F("idle_claims") + 1,
    # The last claim ended without a commit: one of these rows may have killed its worker.
    careful_until_row=Case(
        When(idle_claims__gt=0, then=F("cursor_row") + F("batch_size")),
        default=F("careful_until_row"),
        output_field=BigIntegerField(),
    ),
    batch_size=Case(
        When(
            idle_claims__gt=0,
            then=Greatest(F("batch_size") / SHRINK_FACTOR, 1, output_field=BigIntegerField()),
        ),
        default=F("batch_size"),
        output_field=BigIntegerField(),
    ),
)
SERVE_ACCOUNT = CompiledUpdate(
    lambda: AccountTurn.objects.filter(
        pk__in=AccountTurn.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(pk=Slot.text("account_id"))
        .values("pk")
    ),
    served_at=Now(),
)
READ_SEGMENT = CompiledSelect(lambda: Segment.objects.select_related("task").filter(pk=SEGMENT))
