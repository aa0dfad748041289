"""How many rows does an action without input expect?"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0018_output_columns")]
    operations = [
        migrations.AddField(
            model_name="task",
            name="expected_count",
            field=models.BigIntegerField(
                help_text="Rows of output that an action without input expects; unset: unknown.",
                null=True,
            ),
        ),
    ]
