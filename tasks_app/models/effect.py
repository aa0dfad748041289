"""The journal of external effects: written before a row is sent, updated with its outcome."""

from __future__ import annotations

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Now

from tasks_app.models.task import Task


class EffectState(models.TextChoices):
    """What is known about an external effect.

    While its task runs: sent → done | indeterminate. A row that stays `sent` has no answer yet;
    an idempotent action sends it again, a limited number of times. sent → waiting → sent if the
    service asked for a pause (RetryLater). sent → known → done | indeterminate if a row before it
    has no outcome yet: rows enter the output in order.
    Once the task's output is assembled, people settle the indeterminate rows (ADR 13):
    indeterminate → decided → answered → done. A row that is sent again is `resent` before it is
    answered. A decided or answered row becomes indeterminate again if it could not be sent again,
    or if the outcome of that call is unknown, too.
    """

    SENT = "sent"  # the call was about to be made, or was made; no outcome is recorded yet
    WAITING = "waiting"  # nothing has happened yet: it is to be sent, but later
    KNOWN = "known"  # its lines are known, and enter the output after those of the rows before it
    DONE = "done"  # its outcome is in the output, and final
    INDETERMINATE = "indeterminate"  # no answer ever came; the outcome is unknown
    DECIDED = "decided"  # a person decided how to count it; no worker has acted on it yet
    RESENT = "resent"  # like `sent`, for a person's decision; the worker may have died in the call
    ANSWERED = "answered"  # its new lines are known, but not in the files yet


class Decision(models.TextChoices):
    """A person's decision about an indeterminate row."""

    DONE = "done"  # it happened: the row counts as succeeded
    NOT_DONE = "not_done"  # it did not: the row counts as failed and goes to failed.csv
    SEND_AGAIN = "send_again"  # a worker sends it once more; the row gets the outcome of that call


class SettledAs(models.TextChoices):
    """What a row counts as, once a person's decision was carried out."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INDETERMINATE = "indeterminate"  # it was sent again, and that outcome is unknown, too


UNRECORDED = (EffectState.SENT, EffectState.WAITING, EffectState.KNOWN)
TO_CARRY_OUT = (EffectState.DECIDED, EffectState.RESENT, EffectState.ANSWERED)

# Sums up the bytes of a task's parts up to the end of each, in one pass for any number of rows.
RECORD_LINE_POSITIONS = """
UPDATE tasks_app_effect
SET line_offset = positions.line_end - positions.output_bytes + %s,
    line_bytes = positions.output_bytes,
    failed_offset = positions.failed_end - positions.failed_bytes + %s
FROM (
    SELECT first_row, output_bytes, failed_bytes,
           SUM(output_bytes) OVER (ORDER BY segment_index, number) AS line_end,
           SUM(failed_bytes) OVER (ORDER BY segment_index, number) AS failed_end
    FROM tasks_app_part WHERE task_id = %s
) AS positions
WHERE tasks_app_effect.task_id = %s AND tasks_app_effect.state = 'indeterminate'
      AND tasks_app_effect.row_number = positions.first_row
"""


class EffectQuerySet(models.QuerySet["Effect"]):
    """Selects effects, and records the positions of their lines in the files."""

    def unrecorded(self) -> EffectQuerySet:
        """Effects of rows whose outcome is not in the output yet."""
        return self.filter(state__in=UNRECORDED)

    def unsettled(self) -> EffectQuerySet:
        """Effects that wait for a person's decision, or for a worker to carry it out."""
        return self.exclude(state__in=[*UNRECORDED, EffectState.DONE])

    def to_carry_out(self) -> EffectQuerySet:
        """Effects with a person's decision that a worker still has to carry out."""
        return self.filter(decided_at__isnull=False, state__in=TO_CARRY_OUT)

    def with_line_position(self) -> EffectQuerySet:
        """Effects whose rows were indeterminate when their task was assembled."""
        return self.filter(line_offset__isnull=False)

    def forget_line_positions(self) -> None:
        """Forget the positions of lines: the files will be written anew."""
        self.with_line_position().update(
            line_offset=None, line_bytes=0, grown_bytes=0, failed_offset=None, failed_bytes=0
        )

    def record_line_positions(self, task_id: str, output_start: int, failed_start: int) -> None:
        """Record the positions of the lines of a task's indeterminate rows in the files.

        Call it before the parts are deleted. Each start is the size in bytes of that file's header
        line. Each of these lines is a part of its own.
        """
        with connection.cursor() as cursor:
            cursor.execute(RECORD_LINE_POSITIONS, [output_start, failed_start, task_id, task_id])


_Manager = models.Manager.from_queryset(EffectQuerySet)


class EffectManager(_Manager["Effect"]):
    """Defers `input_line`, which few readers need: a row may have some megabytes."""

    def get_queryset(self) -> EffectQuerySet:
        """Return the effects; `execution.external.find_line` reads the line of one."""
        return EffectQuerySet(self.model, using=self._db).defer("input_line")


class Effect(models.Model):
    """The journal entry of one row's external effect; crashes and retries keep its key."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="effects")
    row_number = models.BigIntegerField(help_text="Number of the input row, from 1.")
    key = models.CharField(max_length=64, help_text="Same task, same row: same key.")
    state = models.CharField(max_length=20, choices=EffectState, default=EffectState.SENT)
    claim = models.PositiveIntegerField(help_text="The claim under which it was last sent.")
    sent_at = models.DateTimeField(
        db_default=Now(), help_text="When it was first sent, or sent again for a person."
    )
    attempt_count = models.PositiveIntegerField(
        default=1,
        db_default=1,
        help_text="How often it was sent while its task ran, without the attempts that certainly"
        " had no effect.",
    )
    retry_at = models.DateTimeField(
        null=True, help_text="Until when it is not sent again; unset: at once."
    )
    last_error = models.TextField(
        default="", db_default="", help_text="Why there is no answer; empty: its worker died."
    )

    input_line = models.BinaryField(
        null=True, help_text="Its row as in in.csv, without line end, until its outcome is known."
    )

    # The offsets never change once they are recorded. Rows that are settled above a line move it
    # by their `grown_bytes` (indeterminate/line_positions.py).
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
        default=b"", db_default=b"", help_text="Known or answered: its lines for out.csv."
    )
    failed = models.BinaryField(
        default=b"", db_default=b"", help_text="Known or answered: its line for failed.csv."
    )

    objects = EffectManager()

    class Meta:
        verbose_name = "external row"
        indexes = [
            models.Index(
                name="effect_unrecorded",
                fields=["task", "row_number"],
                condition=Q(state__in=["sent", "waiting", "known"]),
            ),
            models.Index(
                name="effect_unsettled",
                fields=["id"],
                condition=~Q(state__in=["sent", "waiting", "known", "done"]),
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
                condition=Q(state__in=["sent", "waiting", "known", "indeterminate"], decision="")
                | Q(state="done")
                | (~Q(decision="") & Q(state__in=["decided", "resent", "answered"])),
            ),
            models.CheckConstraint(
                name="effect_answer_says_what_it_is",
                condition=~Q(state__in=["known", "answered"]) | ~Q(settled_as=""),
            ),
        ]

    def __str__(self) -> str:
        return f"effect of row {self.row_number} of {self.task_id}"
