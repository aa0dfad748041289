"""Are the bytes of a file still those that were stored? Files of older releases have no checksums."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0012_compress_parts")]
    operations = [
        migrations.AddField(
            model_name="taskcsv",
            name="block_bytes",
            field=models.PositiveIntegerField(
                help_text="How many bytes each checksum is of; unset: it has none.", null=True
            ),
        ),
        migrations.AddField(
            model_name="taskcsv",
            name="checksums",
            field=models.BinaryField(help_text="Of its blocks (csv_files/blocks.py).", null=True),
        ),
        migrations.AddField(
            model_name="taskcsv",
            name="block_rows",
            field=models.BinaryField(
                help_text="Rows of an input up to the end of each block.", null=True
            ),
        ),
        migrations.AddField(
            model_name="taskcsv",
            name="faulty_at",
            field=models.BigIntegerField(
                help_text="At which byte it was found missing or changed; unset: nowhere.",
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
