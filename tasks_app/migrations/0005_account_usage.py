import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Count, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce


def count_what_is_there(apps, schema_editor):
    """Begin with what accounts keep already: two passes, once."""
    Task = apps.get_model("tasks_app", "Task")
    TaskCSV = apps.get_model("tasks_app", "TaskCSV")
    AccountUsage = apps.get_model("tasks_app", "AccountUsage")
    database = schema_editor.connection.alias
    files = TaskCSV.objects.using(database).filter(task=OuterRef("pk")).order_by()
    sizes = files.values("task").annotate(sum=Sum("size_bytes")).values("sum")
    tasks = Task.objects.using(database)
    tasks.update(stored_bytes=Coalesce(Subquery(sizes), 0))
    kept = tasks.values_list("account_id").annotate(Count("pk"), Sum("stored_bytes"))
    AccountUsage.objects.using(database).bulk_create(
        [
            AccountUsage(account_id=account_id, task_count=count, stored_bytes=stored_bytes)
            for account_id, count, stored_bytes in kept
        ],
        batch_size=500,
    )


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
                default=0, help_text="Of its files, as they are counted for its account."
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
                    models.BigIntegerField(
                        default=0, help_text="Tasks; removed ones until they are purged."
                    ),
                ),
                (
                    "stored_bytes",
                    models.BigIntegerField(default=0, help_text="Of the files of these tasks."),
                ),
            ],
        ),
        migrations.RunPython(count_what_is_there, migrations.RunPython.noop, elidable=True),
    ]
