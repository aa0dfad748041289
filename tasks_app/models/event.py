"""The audit events of tasks: who did what, when and in which request; append-only."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models.functions import Now


class EventKind(models.TextChoices):
    """What can happen to a task."""

    CREATED = "created"
    STARTED = "started"
    STOPPED = "stopped"
    RETRIED = "retried"  # it had ended `internal_error`, and continues from its cursors
    ENDED = "ended"
    REMOVED = "removed"
    EXPIRED = "expired"
    DOWNLOADED = "downloaded"
    INDETERMINATE = "indeterminate"  # the outcome of an external effect is unknown
    DECIDED = "decided"  # a person decided how to count an indeterminate row
    SETTLED = "settled"  # that was carried out, or was impossible: `settled_as` says which
    BROKEN = "broken"  # the task could not go on: `detail` says more than its owner is told
    ROW_BLAMED = "row_blamed"  # workers died on a row; it was recorded as failed


ENDS_OF_TASKS = (EventKind.REMOVED, EventKind.EXPIRED)  # a task's last event is one of these


class TaskEventQuerySet(models.QuerySet["TaskEvent"]):
    """Events can only be added and read."""

    def update(self, **_changes: Any) -> NoReturn:
        """Refuse: events are append-only."""
        raise TypeError("Events are append-only.")

    def delete(self) -> NoReturn:
        """Refuse: events are append-only."""
        raise TypeError("Events are append-only.")

    def forget(self) -> int:
        """Delete the events and return how many; only `upkeep.event_retention` may call it."""
        return self._raw_delete(using=self.db) or 0  # None for an empty queryset


class TaskEvent(models.Model):
    """One thing that happened to a task; the event outlives the task."""

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
        """Add the event; an existing one cannot be changed."""
        if self.pk:
            raise TypeError("Events are append-only.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: events are append-only."""
        raise TypeError("Events are append-only.")
