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
