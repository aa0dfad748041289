"""What is object storage's own name for a file's bytes, and who retried a task?"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0016_waiting_tasks")]
    operations = [
        migrations.AddField(
            model_name="taskcsv",
            name="etag",
            field=models.CharField(
                db_default="",
                default="",
                help_text="Object storage's own name for its bytes; unset: in a folder, or not known.",
                max_length=200,
            ),
        ),
        migrations.AlterField(
            model_name="segment",
            name="retry_at",
            field=models.DateTimeField(
                help_text="Until when nobody claims it: its next row had no answer from outside, waits for what the database lacks, or seems to kill workers, who may object; unset or past: nothing waits.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="waiting_since",
            field=models.DateTimeField(
                help_text="Since when its rows wait for what the database lacks; a commit of rows that met nothing missing unsets it.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="taskevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("created", "Created"),
                    ("started", "Started"),
                    ("stopped", "Stopped"),
                    ("retried", "Retried"),
                    ("ended", "Ended"),
                    ("removed", "Removed"),
                    ("expired", "Expired"),
                    ("downloaded", "Downloaded"),
                    ("indeterminate", "Indeterminate"),
                    ("decided", "Decided"),
                    ("settled", "Settled"),
                    ("broken", "Broken"),
                    ("row_blamed", "Row Blamed"),
                ],
                max_length=20,
            ),
        ),
    ]
