"""What was sent to the outside for a row? Written before it is sent (design §5)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tasks_app.models.task import Task


class EffectState(models.TextChoices):
    """What is known about an external effect."""

    SENT = "sent"  # the call was about to be made, or was made; no outcome recorded yet
    DONE = "done"  # its outcome is in the output
    INDETERMINATE = "indeterminate"  # the worker died in the call; nobody knows the outcome


class EffectQuerySet(models.QuerySet["Effect"]):
    """Ways to select effects."""

    def sent(self) -> EffectQuerySet:
        """Effects whose outcome is not recorded yet."""
        return self.filter(state=EffectState.SENT)


class Effect(models.Model):
    """The journal of one row's external effect; its key is stable through crash and retry."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="effects")
    row_number = models.BigIntegerField(help_text="Number of the input row, from 1.")
    key = models.CharField(max_length=64, help_text="Same task, same row: same key.")
    state = models.CharField(max_length=20, choices=EffectState, default=EffectState.SENT)
    claim = models.PositiveIntegerField(help_text="The claim under which it was last sent.")
    sent_at = models.DateTimeField(db_default=Now())

    objects = EffectQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(name="effect_sent", fields=["task"], condition=Q(state="sent"))]
        constraints = [
            models.UniqueConstraint(name="effect_is_one_per_row", fields=["task", "row_number"])
        ]

    def __str__(self) -> str:
        return f"effect of row {self.row_number} of {self.task_id}"
