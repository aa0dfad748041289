"""Who did what to a task, when, and in which request? Append-only."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models.functions import Now


class EventKind(models.TextChoices):
    """What can happen to a task."""

    CREATED = "created"
    STARTED = "started"
    STOPPED = "stopped"
    RETRIED = "retried"  # it had ended `internal_error`, and goes on where it stood
    ENDED = "ended"
    REMOVED = "removed"
    EXPIRED = "expired"
    DOWNLOADED = "downloaded"
    INDETERMINATE = "indeterminate"  # an external effect whose outcome nobody knows
    DECIDED = "decided"  # a person said what an indeterminate row is to count as
    SETTLED = "settled"  # that was carried out, or could not be: `settled_as` says which
    BROKEN = "broken"  # the task could not go on: `detail` says more than its owner is told
    ROW_BLAMED = "row_blamed"  # workers died on a row; it was recorded as failed


ENDS_OF_TASKS = (EventKind.REMOVED, EventKind.EXPIRED)  # nothing happens to the task after these


class TaskEventQuerySet(models.QuerySet["TaskEvent"]):
    """Events are added and read; nothing else."""

    def update(self, **_changes: Any) -> NoReturn:
        """Refuse: events are append-only."""
        raise TypeError("Events are append-only.")

    def delete(self) -> NoReturn:
        """Refuse: events are append-only."""
        raise TypeError("Events are append-only.")

    def forget(self) -> int:
        """Delete them all the same, and return how many: for `retention` alone."""
        return self._raw_delete(using=self.db) or 0  # None where there can be none


class TaskEvent(models.Model):
    """One thing that happened; outlives its task."""

    task_id = models.CharField(max_length=30, db_index=True)
    account_id = models.CharField(max_length=32, help_text="The account that the task works for.")
    kind = models.CharField(max_length=20, choices=EventKind)
    actor = models.CharField(max_length=200, help_text="account:ID, staff:NAME or system.")
    request_id = models.CharField(max_length=128, default="")
    old_status = models.CharField(max_length=20, default="")
    new_status = models.CharField(max_length=20, default="")
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now())

    objects = TaskEventQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                name="event_to_forget",
                fields=["at"],
                condition=models.Q(kind__in=[*ENDS_OF_TASKS, EventKind.DOWNLOADED]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.task_id} {self.kind}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the event; an event that exists cannot be changed."""
        if self.pk:
            raise TypeError("Events are append-only.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: events are append-only."""
        raise TypeError("Events are append-only.")
