"""Segments: ranges of the input, each with a cursor and a claim; a worker claims one."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.db import models, transaction
from django.db.models import Case, Count, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce, Now

from piston.database.compiled_queries import Slot
from piston.database.locks import WaitBriefly
from tasks_app.errors import ClaimLost
from tasks_app.models.claims import Claim, ClaimQuerySet
from tasks_app.models.task import Task
from tasks_app.states import Ending

CLAIM = Claim(number="claim", until="claimed_until")

# What a process can run: the name, versions and actions of each category. Its own version is the
# first; the others are those whose tasks it goes on with.
Offered = tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]


def is_of_kinds(offered: Offered, *, of: str = "") -> Q:
    """Return the condition that a process can run a task; `of` is the lookup prefix to it."""
    return reduce(
        or_,
        (
            Q(
                **{
                    f"{of}category": category,
                    f"{of}category_version__in": versions,
                    f"{of}action__in": actions,
                }
            )
            for category, versions, actions in offered
        ),
    )


class SegmentQuerySet(ClaimQuerySet["Segment"]):
    """Selects and claims segments."""

    claim = CLAIM

    def unfinished(self) -> SegmentQuerySet:
        """Segments that have rows or pages left."""
        return self.filter(is_done=False)

    def claimable(self, message_id: str | Slot = "") -> SegmentQuerySet:
        """Unfinished segments of running tasks that are not claimed, or whose claim has expired.

        A segment with a `retry_at` in the future is not claimable, nor is one of a paused task. A
        broker that delivers a message again has lost contact with the worker that got it first. So
        a claim that was taken for `message_id` can be taken over immediately; if that worker is
        alive, the fence stops it.
        """
        free = CLAIM.is_free()
        due = Q(retry_at=None) | Q(retry_at__lt=Now())
        due &= Q(task__paused_until=None) | Q(task__paused_until__lt=Now())
        if message_id:
            free |= Q(claimed_for=message_id, claimed_for__gt="")
        return self.unfinished().filter(free, due, task__status="executing", task__ending=None)

    def with_room(self) -> SegmentQuerySet:
        """Leave out segments of tasks that have the maximum number of workers (`max_workers`)."""
        held = (
            Segment.objects.held()
            .filter(task=OuterRef("task"))
            .order_by()
            .values("task")
            .annotate(number=Count("pk"))
            .values("number")
        )
        return self.filter(
            Q(task__max_workers=None) | Q(task__max_workers__gt=Coalesce(Subquery(held), Value(0)))
        )

    def of_kinds(self, offered: Offered) -> SegmentQuerySet:
        """Segments of tasks that a process can run: it has their action, in a version that fits."""
        return self.filter(is_of_kinds(offered, of="task__"))


class Segment(models.Model):
    """A contiguous range of a task's input with its own cursor.

    Invariant: at any time until assembly deletes the parts, this segment's rows before the cursor
    = rows in this segment's parts. Both change in one transaction (design §4.4).
    """

    task = models.ForeignKey(Task, models.CASCADE, related_name="segments")
    index = models.PositiveIntegerField(help_text="Its place in the input.")

    start_row = models.BigIntegerField(default=0, help_text="Rows of the input before it.")
    end_row = models.BigIntegerField(
        null=True, help_text="Rows up to its end; unset without input."
    )
    end_offset = models.BigIntegerField(null=True, help_text="Byte offset of its end in in.csv.")
    cursor_row = models.BigIntegerField(
        default=0, help_text="Rows of the input before the next one."
    )
    cursor_offset = models.BigIntegerField(
        default=0, help_text="Byte offset of the next row in in.csv."
    )
    page_cursor = models.JSONField(
        null=True, help_text="Without input: where the next page begins."
    )
    part_count = models.PositiveIntegerField(default=0)
    is_done = models.BooleanField(default=False)

    claim = models.PositiveIntegerField(
        default=0, help_text="Number of the newest claim; fences the older."
    )
    claimed_until = models.DateTimeField(
        null=True, help_text="When it expires; unset: nobody holds it."
    )
    claimed_by = models.CharField(
        max_length=200, default="", help_text="Host and process of the worker."
    )
    claimed_for = models.CharField(
        max_length=100, default="", help_text="Id of the message that asked."
    )

    batch_size = models.PositiveIntegerField(
        default=100, help_text="Rows to try next; adapts to a time."
    )
    idle_claims = models.PositiveIntegerField(
        default=0, help_text="Claims since the last commit that ended without one."
    )
    careful_until_row = models.BigIntegerField(
        default=0, help_text="Up to here batches stay small: a worker died among these."
    )
    suspect_row = models.BigIntegerField(null=True, help_text="The row being tried alone.")
    suspect_trials = models.PositiveIntegerField(
        default=0,
        db_column="suspect_deaths",
        help_text="How often it was tried alone, and nothing was heard of the worker since.",
    )
    tried_row: int | None = None  # the row that this worker tries alone; not in the database

    retry_at = models.DateTimeField(
        null=True,
        help_text="Until when nobody claims it: its next row had no answer from outside, waits"
        " for what the database lacks, or seems to kill workers, who may object; unset or past:"
        " nothing waits.",
    )

    objects = SegmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="segment_is_one_per_place", fields=["task", "index"]),
            models.CheckConstraint(
                name="segment_cursor_is_inside",
                condition=Q(cursor_row__gte=F("start_row"))
                & (Q(end_row=None) | Q(cursor_row__lte=F("end_row"))),
            ),
        ]
        indexes = [
            models.Index(name="segment_unfinished", fields=["task"], condition=Q(is_done=False)),
            models.Index(
                name="segment_claimed", fields=["claimed_for"], condition=Q(claimed_for__gt="")
            ),
        ]

    def __str__(self) -> str:
        return f"segment {self.index} of {self.task_id}"

    @property
    def has_input(self) -> bool:
        """Is it a range of rows, and not a sequence of pages?"""
        return self.end_row is not None

    def release_or_uncount(self) -> None:
        """Release the segment; if the claim was overtaken, take it out of the count of crashes.

        For the worker that overtook it, this claim counts as one that ended without a commit, and
        this worker's trial of the suspect row as a death. But this worker is alive, so it takes
        back both counts.
        """
        if self.release():
            return
        overtaken = Segment.objects.filter(
            WaitBriefly(),
            pk=self.pk,
            claim__gt=self.claim,
            part_count=self.part_count,
            idle_claims__gt=0,
        )
        overtaken.update(
            idle_claims=F("idle_claims") - 1,
            suspect_trials=Case(
                When(
                    suspect_row=self.tried_row,
                    suspect_trials__gt=0,
                    then=F("suspect_trials") - 1,
                ),
                default=F("suspect_trials"),
                output_field=models.PositiveIntegerField(),
            ),
        )

    def end_work(self, ending: Ending, reason: str = "") -> bool:
        """End the work on the task as holder of this claim; False when it was ended before.

        Raises ClaimLost, with nothing changed, when the claim was overtaken: a person may have
        retried the task since. The task's row is locked here, so no retry can come in between.
        """
        with transaction.atomic():
            if not self.task.end_work(ending, reason):
                return False
            if not Segment.objects.fence(self).exists():
                raise ClaimLost
        return True

    def hold(self, seconds: float) -> None:
        """Renew the claim for `seconds` from now; raises ClaimLost when it was overtaken."""
        Segment.objects.hold(self, seconds)

    def release(self) -> bool:
        """Release the segment and reset its crash counts; False when the claim was overtaken."""
        return Segment.objects.filter(WaitBriefly()).release(
            self, claimed_for="", idle_claims=0, suspect_row=None, suspect_trials=0
        )
