"""How often was an external row sent, what is its line, and when is it sent again?"""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0013_checksums")]
    operations = [
        migrations.AddField(
            "effect",
            "attempt_count",
            models.PositiveIntegerField(
                db_default=1, default=1, help_text="How often it was sent while its task ran."
            ),
        ),
        migrations.AddField(
            "effect",
            "last_error",
            models.TextField(
                db_default="",
                default="",
                help_text="Why there is no answer; empty: its worker died.",
            ),
        ),
        migrations.AddField(
            "effect",
            "input_line",
            models.BinaryField(
                help_text="Its row as in in.csv, without line end, until its outcome is known.",
                null=True,
            ),
        ),
        migrations.AddField(
            "effect",
            "input_end_offset",
            models.BigIntegerField(
                help_text="Byte offset in in.csv behind its row's line end; with `input_line`.",
                null=True,
            ),
        ),
        migrations.AddField(
            "segment",
            "retry_at",
            models.DateTimeField(
                help_text="When its next row is to be sent again; unset or past: nothing waits.",
                null=True,
            ),
        ),
        migrations.AlterField(
            "effect",
            "sent_at",
            models.DateTimeField(
                db_default=Now(), help_text="When it was first sent, or sent again for a person."
            ),
        ),
    ]
