"""Tasks: requests to run one action over one input, kept until deleted or expired."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from piston.accounts.models import Account
from tasks_app.errors import InvalidTransition, TaskNotFound
from tasks_app.models.claims import Claim, ClaimQuerySet
from tasks_app.states import ENTERED_FROM, FINAL, Ending, TaskStatus

# True for every task. Marks a query that spans all accounts, so that it may use their indexes. A
# query for one account must not: the planner might scan the newer tasks of all other accounts.
OF_ALL_ACCOUNTS = Q(revision__gt=0)


def new_task_id() -> str:
    """Return 30 random lower-case hexadecimal characters."""
    return secrets.token_hex(15)


class TaskQuerySet(ClaimQuerySet["Task"]):
    """Selects tasks, and claims them: a worker that writes a task's files holds its claim."""

    claim = Claim(number="assembly_claim", until="assembly_until")

    def visible(self) -> TaskQuerySet:
        """Tasks that were not removed."""
        return self.exclude(status=TaskStatus.REMOVED)

    def of_all_accounts(self) -> TaskQuerySet:
        """All tasks, for lists that show the tasks of every account."""
        return self.filter(OF_ALL_ACCOUNTS)

    def running(self) -> TaskQuerySet:
        """Tasks that were started and whose rows may still be worked on."""
        return self.filter(status=TaskStatus.EXECUTING, ending=None)

    def unended(self) -> TaskQuerySet:
        """Tasks that run with no rows left: the last worker died before it ended the task."""
        return self.running().exclude(segments__is_done=False)

    def awaiting_assembly(self) -> TaskQuerySet:
        """Tasks whose output files are due and that no worker is assembling."""
        ended = Q(status=TaskStatus.EXECUTING, ending__isnull=False)
        stopped = Q(status=TaskStatus.STOPPED)
        return self.unassembled().free().filter(ended | stopped)

    def unassembled(self) -> TaskQuerySet:
        """Tasks whose output files are not in storage (yet)."""
        return self.filter(is_assembled=False)

    def assembled(self) -> TaskQuerySet:
        """Tasks that have ended and whose output files are in storage."""
        return self.filter(status__in=FINAL, is_assembled=True)


class Task(models.Model):
    """One request to run one action over one input."""

    id = models.CharField(primary_key=True, max_length=30, default=new_task_id, editable=False)
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="tasks", help_text="The account it works for."
    )
    auth_account = models.ForeignKey(
        Account, models.PROTECT, related_name="+", help_text="The account that created it."
    )
    category = models.CharField(max_length=100)
    action = models.CharField(max_length=100)
    category_version = models.CharField(
        max_length=50,
        help_text="The plugin's version at creation, or that of a newer one that went on with it."
        " Workers whose version does not fit leave it.",
    )
    output_columns = models.JSONField(
        null=True, help_text="The names at creation; unset: created by an older release."
    )
    file_name = models.TextField(
        null=True, help_text="What the client calls the input. Data, never a path."
    )

    status = models.CharField(max_length=20, choices=TaskStatus, default=TaskStatus.PENDING)
    ending = models.CharField(
        max_length=20,
        choices=Ending,
        null=True,
        help_text="Set when no more rows will be worked on.",
    )
    reason = models.TextField(
        default="", help_text="Why it ended as it did, where that needs words."
    )
    node = models.CharField(max_length=200, default="", help_text="Where it was last worked on.")

    total_count = models.BigIntegerField(
        null=True, help_text="Rows of the input; unset without input."
    )
    expected_count = models.BigIntegerField(
        null=True, help_text="Rows of output that an action without input expects; unset: unknown."
    )
    success_count = models.BigIntegerField(default=0)
    failure_count = models.BigIntegerField(default=0)
    indeterminate_count = models.BigIntegerField(
        default=0,
        db_default=0,  # for web processes of the release before, while a new one is rolled out
        help_text="Of the failed rows: those whose effect on the outside is unknown.",
    )
    output_bytes = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="Of out.csv and failed.csv without their headers, so far.",
    )
    stored_bytes = models.BigIntegerField(
        null=True, help_text="Of its files, as counted for its account; unset: not counted."
    )

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    revision = models.BigIntegerField(
        default=1, help_text="Raised by every change that clients can see."
    )

    is_permitted = models.BooleanField(default=False, help_text="The action agreed to run it.")
    wake_number = models.PositiveIntegerField(
        default=0, help_text="Of its newest message; others are dropped."
    )
    dispatched_at = models.DateTimeField(
        null=True, help_text="When that was sent; unset once it arrived."
    )
    max_workers = models.PositiveIntegerField(
        null=True, help_text="How many may work on it at a time."
    )
    served_at = models.DateTimeField(
        null=True, help_text="When a worker last claimed a segment of it."
    )
    unfit_since = models.DateTimeField(
        null=True,
        help_text="Since when only workers without its version or its action have met it.",
    )
    waiting_since = models.DateTimeField(
        null=True,
        help_text="Since when its rows wait for what the database lacks; a commit of rows that"
        " met nothing missing unsets it.",
    )
    waiting_for = models.TextField(default="", db_default="", help_text="What that is.")
    # The circuit breaker of an action with external effects (execution/breaker.py).
    call_count = models.BigIntegerField(
        default=0, db_default=0, help_text="Calls to the outside since `counted_since`."
    )
    failed_call_count = models.BigIntegerField(
        default=0, db_default=0, help_text="Of those: without an answer, or told to come later."
    )
    counted_since = models.DateTimeField(null=True, help_text="When that window began.")
    failing_since = models.DateTimeField(
        null=True, help_text="Since when its rows are paused, but for a trial now and then."
    )
    paused_until = models.DateTimeField(
        null=True, help_text="Until when nobody claims its segments: the next trial."
    )
    is_assembled = models.BooleanField(default=False, help_text="Its output files are in storage.")
    assembly_claim = models.PositiveIntegerField(
        default=0, help_text="Number of the newest assembler."
    )
    assembly_until = models.DateTimeField(
        null=True, help_text="When that assembler's claim expires."
    )

    objects = TaskQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                name="task_list",
                fields=["account", "-created_at", "-id"],
                condition=~Q(status="removed"),
            ),
            models.Index(
                name="task_list_by_status",
                fields=["account", "status", "-created_at", "-id"],
                condition=~Q(status="removed"),
            ),
            models.Index(
                name="task_list_by_kind",
                fields=["account", "category", "action", "-created_at", "-id"],
                condition=~Q(status="removed"),
            ),
            models.Index(
                name="task_list_by_action",
                fields=["account", "action", "-created_at", "-id"],
                condition=~Q(status="removed"),
            ),
            models.Index(
                name="task_newest", fields=["-created_at", "-id"], condition=OF_ALL_ACCOUNTS
            ),
            models.Index(
                name="task_newest_by_status",
                fields=["status", "-created_at", "-id"],
                condition=OF_ALL_ACCOUNTS,
            ),
            models.Index(
                name="task_executing", fields=["served_at"], condition=Q(status="executing")
            ),
            models.Index(
                name="task_to_assemble",
                fields=["id"],
                condition=Q(status="stopped", is_assembled=False),
            ),
            models.Index(name="task_to_purge", fields=["id"], condition=Q(status="removed")),
            models.Index(name="task_by_end", fields=["ended_at"]),
        ]
        constraints = [
            models.CheckConstraint(
                name="task_times_fit_its_status",
                condition=Q(status="removed")
                | Q(status="pending", started_at=None, ended_at=None)
                | Q(status="executing", started_at__isnull=False, ended_at=None)
                | Q(status__in=sorted(FINAL), started_at__isnull=False, ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="task_counts_fit_its_total",
                condition=Q(success_count__gte=0, failure_count__gte=0)
                & (
                    Q(total_count=None)
                    | Q(total_count__gte=F("success_count") + F("failure_count"))
                ),
            ),
            models.CheckConstraint(
                name="task_is_pending_without_an_ending",
                condition=~Q(status="pending") | Q(ending=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.category}/{self.action} {self.id}"

    @property
    def is_final(self) -> bool:
        """Has the task ended?"""
        return self.status in FINAL

    @property
    def has_started(self) -> bool:
        """Was it ever started?"""
        return self.started_at is not None

    @property
    def may_be_retried(self) -> bool:
        """Did a cause outside of its rows end it, with rows left? Then its parts are kept."""
        is_broken = self.status == TaskStatus.INTERNAL_ERROR
        return is_broken and self.segments.filter(is_done=False).exists()

    @property
    def left_count(self) -> int:
        """How many input rows have no outcome (yet); 0 without input."""
        if self.total_count is None:
            return 0
        return self.total_count - self.success_count - self.failure_count

    def move_to(
        self, status: TaskStatus, *, only_from: Collection[TaskStatus] = (), **changes: Any
    ) -> str:
        """Enter `status` in one guarded UPDATE and return the status that was left.

        The WHERE clause repeats the permitted starting statuses, so of two processes racing for
        the same move exactly one succeeds. If several are permitted, this locks the row first, so
        that the returned status is the one that was left. Raises InvalidTransition, and
        TaskNotFound when the task was deleted meanwhile.
        """
        permitted = only_from or ENTERED_FROM[status]
        left = next(iter(permitted)) if len(permitted) == 1 else self.lock_status()
        moved = Task.objects.filter(pk=self.pk, status__in=permitted).update(
            status=status, revision=F("revision") + 1, **changes
        )
        try:
            self.refresh_from_db()
        except Task.DoesNotExist as error:
            raise TaskNotFound(self.pk) from error
        if not moved:
            raise InvalidTransition(self.status, status)
        return left

    def lock_status(self) -> str:
        """Lock the row until this transaction ends, and return its status."""
        locked = Task.objects.select_for_update().filter(pk=self.pk)
        status = locked.values_list("status", flat=True).first()
        if status is None:
            raise TaskNotFound(self.pk)
        return status

    def end_work(self, ending: Ending, reason: str = "") -> bool:
        """End the work on the task's rows; False when it was ended before."""
        return bool(
            Task.objects.running()
            .filter(pk=self.pk)
            .update(ending=ending, reason=reason, revision=F("revision") + 1)
        )
