"""Parts: the output of each batch, kept until the output files are assembled."""

from __future__ import annotations

from django.db import connection, models

from tasks_app.models.task import Task


class PartQuerySet(models.QuerySet["Part"]):
    """Adds parts."""

    def add(self, part: Part) -> None:
        """Add a part, in the current transaction.

        On PostgreSQL this sends the bytes in binary: Django's own cursors would write them into
        the statement as hexadecimal text, which takes three times as long.
        """
        if connection.vendor != "postgresql":
            part.save(force_insert=True)
            return
        import psycopg

        fields = [field for field in self.model._meta.concrete_fields if not field.primary_key]
        columns = ", ".join(f'"{field.column}"' for field in fields)
        places = ", ".join(["%s"] * len(fields))
        table = self.model._meta.db_table
        statement = f'INSERT INTO "{table}" ({columns}) VALUES ({places})'  # noqa: S608 - our names
        # without the wrapper a lost connection would be taken for a fault of the action
        with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(statement, [getattr(part, field.attname) for field in fields])


class Part(models.Model):
    """The output of one batch; parts in order of segment and number are the output."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="parts")
    segment_index = models.PositiveIntegerField()
    number = models.PositiveIntegerField(help_text="Its place among the parts of its segment.")
    first_row = models.BigIntegerField(help_text="Number of its first input row, from 1.")
    row_count = models.PositiveIntegerField()
    success_count = models.PositiveIntegerField()
    failure_count = models.PositiveIntegerField()
    output = models.BinaryField(help_text="Lines for out.csv.")
    output_bytes = models.PositiveIntegerField()
    failed = models.BinaryField(default=b"", help_text="Input lines for failed.csv.")
    failed_bytes = models.PositiveIntegerField(default=0)

    objects = PartQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="part_is_one_per_batch", fields=["task", "segment_index", "number"]
            ),
            models.CheckConstraint(
                name="part_counts_its_rows",
                condition=models.Q(row_count=models.F("success_count") + models.F("failure_count")),
            ),
        ]

    def __str__(self) -> str:
        return f"part {self.segment_index}.{self.number} of {self.task_id}"
