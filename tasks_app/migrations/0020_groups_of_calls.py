"""Fields of groups of calls; the next migration has their indexes: no lock lasts for both."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0019_expected_count"),
    ]

    operations = [
        migrations.AddField(
            model_name="effect",
            name="retry_at",
            field=models.DateTimeField(
                help_text="Until when it is not sent again; unset: at once.", null=True
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="call_count",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="Calls to the outside since `counted_since`."
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="counted_since",
            field=models.DateTimeField(help_text="When that window began.", null=True),
        ),
        migrations.AddField(
            model_name="task",
            name="failed_call_count",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                help_text="Of those: without an answer, or told to come later.",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="failing_since",
            field=models.DateTimeField(
                help_text="Since when its rows are paused, but for a trial now and then.", null=True
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="paused_until",
            field=models.DateTimeField(
                help_text="Until when nobody claims its segments: the next trial.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="actionpace",
            name="action",
            field=models.CharField(
                help_text="category/action; or category/action/account, for a limit per account.",
                max_length=250,
                primary_key=True,
                serialize=False,
            ),
        ),
        migrations.AlterField(
            model_name="effect",
            name="attempt_count",
            field=models.PositiveIntegerField(
                db_default=1,
                default=1,
                help_text="How often it was sent while its task ran, without the attempts that certainly had no effect.",
            ),
        ),
        migrations.AlterField(
            model_name="effect",
            name="failed",
            field=models.BinaryField(
                db_default=b"", default=b"", help_text="Known or answered: its line for failed.csv."
            ),
        ),
        migrations.AlterField(
            model_name="effect",
            name="output",
            field=models.BinaryField(
                db_default=b"", default=b"", help_text="Known or answered: its lines for out.csv."
            ),
        ),
        migrations.AlterField(
            model_name="effect",
            name="state",
            field=models.CharField(
                choices=[
                    ("sent", "Sent"),
                    ("waiting", "Waiting"),
                    ("known", "Known"),
                    ("done", "Done"),
                    ("indeterminate", "Indeterminate"),
                    ("decided", "Decided"),
                    ("resent", "Resent"),
                    ("answered", "Answered"),
                ],
                default="sent",
                max_length=20,
            ),
        ),
    ]
