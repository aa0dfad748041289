"""Which files are in storage, and whose are they? A file without a task is one to be deleted."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tasks_app.models.clock import database_time
from tasks_app.models.task import Task
from tasks_app.states import TaskStatus


class CSVName(models.TextChoices):
    """The public names of a task's files."""

    INPUT = "in.csv"  # byte for byte what was sent (decompressed if it came gzipped)
    OUTPUT = "out.csv"  # what happened to each row
    FAILED = "failed.csv"  # the input rows that failed, ready to be sent again
    UNPROCESSED = "unprocessed.csv"  # the input rows that have no outcome; a view of in.csv


class TaskCSVQuerySet(models.QuerySet["TaskCSV"]):
    """Ways to select files."""

    def unfinished(self) -> TaskCSVQuerySet:
        """Files that are being written and that a task may still be given."""
        return self.filter(task=None, is_given_up=False)

    def orphaned(self) -> TaskCSVQuerySet:
        """Files that no task refers to and nobody is writing any more."""
        return self.filter(task=None, kept_until__lt=Now())


_Manager = models.Manager.from_queryset(TaskCSVQuerySet)


class TaskCSVManager(_Manager["TaskCSV"]):
    """Leaves out what only readers of a file's bytes need: some kilobytes of a large file."""

    def get_queryset(self) -> TaskCSVQuerySet:
        """Return the files; `defer(None)` brings all columns."""
        return TaskCSVQuerySet(self.model, using=self._db).defer("checksums", "block_rows")


class TaskCSV(models.Model):
    """A file in storage.

    The row is committed before the file is opened and belongs to no task until
    the file is complete. So whatever is cut off at whatever moment leaves a row
    that says which file to delete: `kept_until` passes and the sweeper does it.
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
        """Remember at which byte it was found missing or changed; None for nowhere any more."""
        self.faulty_at = offset
        TaskCSV.objects.filter(pk=self.pk).update(faulty_at=offset)

    def stored_near(self, count: int) -> list[str]:
        """Return the names of files of other tasks that were stored before it; else after it."""
        others = TaskCSV.objects.filter(task__isnull=False, faulty_at=None)
        others = others.exclude(task=self.task_id).exclude(task__status=TaskStatus.REMOVED)
        before = others.filter(pk__lt=self.pk).order_by("-pk")
        after = others.filter(pk__gt=self.pk).order_by("pk")
        return [*before.values_list("key", flat=True)[:count]] or [
            *after.values_list("key", flat=True)[:count]
        ]

    def keep(self, seconds: float) -> bool:
        """Keep an unfinished file for so long from now; False when it was given up meanwhile."""
        unfinished = TaskCSV.objects.unfinished().filter(pk=self.pk)
        return bool(unfinished.update(kept_until=database_time(seconds)))
