"""Tasks that wait for what the database lacks; trials of a row instead of deaths, in its column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0015_unfit_tasks")]

    operations = [
        migrations.AddField(
            model_name="task",
            name="waiting_since",
            field=models.DateTimeField(
                help_text="Since when its rows wait for what the database lacks; a commit unsets it.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="waiting_for",
            field=models.TextField(db_default="", default="", help_text="What that is."),
        ),
        migrations.AlterField(
            model_name="segment",
            name="suspect_deaths",
            field=models.PositiveIntegerField(
                db_column="suspect_deaths",
                default=0,
                help_text="How often it was tried alone, and nothing was heard of the worker since.",
            ),
        ),
        migrations.RenameField(
            model_name="segment", old_name="suspect_deaths", new_name="suspect_trials"
        ),
    ]
