import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("tasks_app", "0004_settled_rows"),
    ]

    operations = [
        migrations.AddField(
            model_name="task",
            name="stored_bytes",
            field=models.BigIntegerField(
                null=True, help_text="Of its files, as counted for its account; unset: not counted."
            ),
        ),
        migrations.CreateModel(
            name="AccountUsage",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="usage",
                        serialize=False,
                        to="accounts.account",
                    ),
                ),
                (
                    "task_count",
                    models.BigIntegerField(default=0, help_text="Tasks that are not removed."),
                ),
                (
                    "stored_bytes",
                    models.BigIntegerField(default=0, help_text="Of the files of these tasks."),
                ),
            ],
        ),
    ]
