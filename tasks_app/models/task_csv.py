"""The files in storage and the tasks that own them; a file without a task will be deleted."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tasks_app.models.clock import database_time
from tasks_app.models.task import Task
from tasks_app.states import TaskStatus


class CSVName(models.TextChoices):
    """The public names of a task's files."""

    INPUT = "in.csv"  # the uploaded bytes, unchanged (decompressed if they were gzipped)
    OUTPUT = "out.csv"  # what happened to each row
    FAILED = "failed.csv"  # the input rows that failed, ready to be sent again
    UNPROCESSED = "unprocessed.csv"  # the input rows without an outcome; a view of in.csv


class TaskCSVQuerySet(models.QuerySet["TaskCSV"]):
    """Selects files."""

    def unfinished(self) -> TaskCSVQuerySet:
        """Files that are being written and can still be given to a task."""
        return self.filter(task=None, is_given_up=False)

    def orphaned(self) -> TaskCSVQuerySet:
        """Files without a task whose reservation has expired: no process is writing them."""
        return self.filter(task=None, kept_until__lt=Now())


_Manager = models.Manager.from_queryset(TaskCSVQuerySet)


class TaskCSVManager(_Manager["TaskCSV"]):
    """Defers the columns that only readers of a file's bytes need; a large file has kilobytes."""

    def get_queryset(self) -> TaskCSVQuerySet:
        """Return the files; `defer(None)` loads all columns."""
        return TaskCSVQuerySet(self.model, using=self._db).defer("checksums", "block_rows")


class TaskCSV(models.Model):
    """A file in storage.

    The row is committed before the file is opened, and has no task until the file is complete. So
    a crash at any moment leaves a row that names the file: once `kept_until` has passed, the
    sweeper deletes both.

    `kept_until` is not a claim (ADR 30). A file has one writer, which made its name; no other
    writer ever takes over, so there are no numbers to compare. `is_given_up` ends the writer's
    right for good; until it is set, a late writer may still complete its file.
    """

    key = models.CharField(max_length=200, unique=True, help_text="Its name in storage.")
    task = models.ForeignKey(Task, models.PROTECT, null=True, related_name="csvs")
    name = models.CharField(max_length=20, choices=CSVName)
    size_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, default="", help_text="Of its bytes, hexadecimal.")
    etag = models.CharField(
        max_length=200,
        default="",
        db_default="",
        help_text="Object storage's own name for its bytes; unset: in a folder, or not known.",
    )
    row_count = models.BigIntegerField(default=0, help_text="Without the header.")
    header = models.JSONField(default=list, help_text="Column names of an input.")
    header_bytes = models.BinaryField(
        default=b"", help_text="An input's header line as it was sent."
    )
    block_bytes = models.PositiveIntegerField(
        null=True, help_text="How many bytes each checksum is of; unset: it has none."
    )
    checksums = models.BinaryField(null=True, help_text="Of its blocks (csv_files/blocks.py).")
    block_rows = models.BinaryField(
        null=True, help_text="Rows of an input up to the end of each block."
    )
    faulty_at = models.BigIntegerField(
        null=True, help_text="At which byte it was found missing or changed; unset: nowhere."
    )
    created_at = models.DateTimeField(db_default=Now())
    kept_until = models.DateTimeField(
        null=True, help_text="While no task owns it: when to delete it."
    )

    is_given_up = models.BooleanField(
        default=False,
        db_default=False,
        help_text="It is being deleted: no task can be given it any more.",
    )

    objects = TaskCSVManager()

    class Meta:
        verbose_name = "task CSV"
        constraints = [
            models.UniqueConstraint(name="task_csv_is_one_per_name", fields=["task", "name"]),
            models.CheckConstraint(
                name="task_csv_without_a_task_expires",
                condition=Q(task__isnull=False) | Q(kept_until__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="task_csv_orphaned", fields=["kept_until"], condition=Q(task=None))
        ]

    def __str__(self) -> str:
        return self.key

    def note_fault(self, offset: int | None) -> None:
        """Record the byte at which it was found missing or changed; None: it is sound again."""
        self.faulty_at = offset
        TaskCSV.objects.filter(pk=self.pk).update(faulty_at=offset)

    def stored_near(self, count: int) -> list[str]:
        """Return the keys of other tasks' files that were stored before it, or else after it."""
        others = TaskCSV.objects.filter(task__isnull=False, faulty_at=None)
        others = others.exclude(task=self.task_id).exclude(task__status=TaskStatus.REMOVED)
        before = others.filter(pk__lt=self.pk).order_by("-pk")
        after = others.filter(pk__gt=self.pk).order_by("pk")
        return [*before.values_list("key", flat=True)[:count]] or [
            *after.values_list("key", flat=True)[:count]
        ]

    def keep(self, seconds: float) -> bool:
        """Keep an unfinished file for `seconds` from now; False when it was given up meanwhile."""
        unfinished = TaskCSV.objects.unfinished().filter(pk=self.pk)
        return bool(unfinished.update(kept_until=database_time(seconds)))
