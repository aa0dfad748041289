"""What was sent to the outside for a row, and what is known of it? Written before it is sent."""

from __future__ import annotations

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Now

from tasks_app.models.task import Task


class EffectState(models.TextChoices):
    """What is known about an external effect, and who moves it on.

    While its task runs: sent → done | indeterminate. A row that stays `sent` has no answer yet;
    an idempotent action sends it again, a bounded number of times.
    Once the task's output is assembled, people settle what is indeterminate (ADR 13):
    indeterminate → decided → answered → done, with `resent` between where it is sent again.
    From decided and answered a way leads back to indeterminate: it could not be sent
    again, or nobody knows the outcome of that either.
    """

    SENT = "sent"  # the call was about to be made, or was made; no outcome is recorded yet
    DONE = "done"  # its outcome is in the output, and final
    INDETERMINATE = "indeterminate"  # no answer ever came; nobody knows the outcome
    DECIDED = "decided"  # a person said what it is to count as; no worker has acted on it yet
    RESENT = "resent"  # a person wants it sent again: as `sent`; its worker may have died in it
    ANSWERED = "answered"  # its new lines are known; they wait for out.csv to be written again


class Decision(models.TextChoices):
    """What a person decided about a row of which nobody knows whether it happened."""

    DONE = "done"  # it happened: the row counts as succeeded
    NOT_DONE = "not_done"  # it did not: the row counts as failed and goes to failed.csv
    SEND_AGAIN = "send_again"  # the system sends it once more; that outcome is the row's


class SettledAs(models.TextChoices):
    """What a row counts as, once what a person decided was carried out."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INDETERMINATE = "indeterminate"  # it was sent again, and again nobody knows


TO_CARRY_OUT = (EffectState.DECIDED, EffectState.RESENT, EffectState.ANSWERED)

# The parts of one task, with the bytes up to the end of each: one walk, however many rows.
RECORD_PLACES = """
UPDATE tasks_app_effect
SET line_offset = place.line_end - place.output_bytes + %s,
    line_bytes = place.output_bytes,
    failed_offset = place.failed_end - place.failed_bytes + %s
FROM (
    SELECT first_row, output_bytes, failed_bytes,
           SUM(output_bytes) OVER (ORDER BY segment_index, number) AS line_end,
           SUM(failed_bytes) OVER (ORDER BY segment_index, number) AS failed_end
    FROM tasks_app_part WHERE task_id = %s
) AS place
WHERE tasks_app_effect.task_id = %s AND tasks_app_effect.state = 'indeterminate'
      AND tasks_app_effect.row_number = place.first_row
"""


class EffectQuerySet(models.QuerySet["Effect"]):
    """Ways to select effects, and the place of their lines."""

    def sent(self) -> EffectQuerySet:
        """Effects whose outcome is not recorded yet."""
        return self.filter(state=EffectState.SENT)

    def unsettled(self) -> EffectQuerySet:
        """Effects that a person has to decide about, or has; nothing of it is carried out yet."""
        return self.exclude(state__in=[EffectState.SENT, EffectState.DONE])

    def to_carry_out(self) -> EffectQuerySet:
        """Effects about which a person decided; a worker has still something to do."""
        return self.filter(decided_at__isnull=False, state__in=TO_CARRY_OUT)

    def placed(self) -> EffectQuerySet:
        """Effects whose rows were indeterminate when their task was assembled."""
        return self.filter(line_offset__isnull=False)

    def forget_places(self) -> None:
        """Forget where lines stand: the files are made anew."""
        self.placed().update(
            line_offset=None, line_bytes=0, grown_bytes=0, failed_offset=None, failed_bytes=0
        )

    def record_places(self, task_id: str, output_start: int, failed_start: int) -> None:
        """Write down where the lines of a task's indeterminate rows come to stand.

        Call it before the parts go; the starts are the bytes of each file's header line. An
        external batch is one row, and such a row has one line: so each has a part of its own.
        """
        with connection.cursor() as cursor:
            cursor.execute(RECORD_PLACES, [output_start, failed_start, task_id, task_id])


_Manager = models.Manager.from_queryset(EffectQuerySet)


class EffectManager(_Manager["Effect"]):
    """Leaves out what few readers need: a row may be of some megabytes."""

    def get_queryset(self) -> EffectQuerySet:
        """Return the effects; `effects.find_line` brings the line of one."""
        return EffectQuerySet(self.model, using=self._db).defer("input_line")


class Effect(models.Model):
    """The journal of one row's external effect; its key is stable through crash and retry."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="effects")
    row_number = models.BigIntegerField(help_text="Number of the input row, from 1.")
    key = models.CharField(max_length=64, help_text="Same task, same row: same key.")
    state = models.CharField(max_length=20, choices=EffectState, default=EffectState.SENT)
    claim = models.PositiveIntegerField(help_text="The claim under which it was last sent.")
    sent_at = models.DateTimeField(
        db_default=Now(), help_text="When it was first sent, or sent again for a person."
    )
    attempt_count = models.PositiveIntegerField(
        default=1, db_default=1, help_text="How often it was sent while its task ran."
    )
    last_error = models.TextField(
        default="", db_default="", help_text="Why there is no answer; empty: its worker died."
    )

    input_line = models.BinaryField(
        null=True, help_text="Its row as in in.csv, without line end, until its outcome is known."
    )

    # Places never change once they are known; what was settled before adds `grown_bytes`.
    input_offset = models.BigIntegerField(
        null=True, help_text="Byte offset of its row in in.csv, or of blank lines before it."
    )
    input_end_offset = models.BigIntegerField(
        null=True, help_text="Byte offset in in.csv behind its row's line end; with `input_line`."
    )
    line_offset = models.BigIntegerField(
        null=True, help_text="Byte offset of its line in out.csv as that was assembled."
    )
    line_bytes = models.BigIntegerField(
        default=0, db_default=0, help_text="Of that line, with its end."
    )
    grown_bytes = models.BigIntegerField(
        default=0, db_default=0, help_text="By how much its line is longer now than it was then."
    )
    failed_offset = models.BigIntegerField(
        null=True, help_text="Byte offset in failed.csv as assembled where its row would begin."
    )
    failed_bytes = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="Of its row in failed.csv, since it was settled as failed.",
    )

    decision = models.CharField(max_length=20, choices=Decision, default="", db_default="")
    decided_by = models.CharField(
        max_length=200, default="", db_default="", help_text="staff:NAME."
    )
    decided_at = models.DateTimeField(null=True)
    note = models.TextField(
        default="", db_default="", help_text="What that person wrote; for staff."
    )

    settled_as = models.CharField(max_length=20, choices=SettledAs, default="", db_default="")
    output = models.BinaryField(
        default=b"", db_default=b"", help_text="Answered: its new lines for out.csv."
    )
    failed = models.BinaryField(
        default=b"", db_default=b"", help_text="Answered: its line for failed.csv."
    )

    objects = EffectManager()

    class Meta:
        verbose_name = "external row"
        indexes = [
            models.Index(name="effect_sent", fields=["task"], condition=Q(state="sent")),
            models.Index(
                name="effect_unsettled", fields=["id"], condition=~Q(state__in=["sent", "done"])
            ),
            models.Index(
                name="effect_decided", fields=["task"], condition=Q(decided_at__isnull=False)
            ),
            models.Index(
                name="effect_placed",
                fields=["task", "row_number"],
                condition=Q(line_offset__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(name="effect_is_one_per_row", fields=["task", "row_number"]),
            models.CheckConstraint(
                name="effect_decision_is_somebodys",
                condition=Q(decision="", decided_by="", decided_at=None)
                | (~Q(decision="") & ~Q(decided_by="") & Q(decided_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="effect_state_fits_its_decision",
                condition=Q(state__in=["sent", "indeterminate"], decision="")
                | Q(state="done")
                | (~Q(decision="") & Q(state__in=["decided", "resent", "answered"])),
            ),
            models.CheckConstraint(
                name="effect_answer_says_what_it_is",
                condition=~Q(state="answered") | ~Q(settled_as=""),
            ),
        ]

    def __str__(self) -> str:
        return f"effect of row {self.row_number} of {self.task_id}"
