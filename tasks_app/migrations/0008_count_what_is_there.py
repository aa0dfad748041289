from collections import Counter

from django.db import migrations, transaction
from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

MOST_AT_ONCE = 500  # tasks per transaction: uploads and removals wait for no longer than that takes


def count_what_is_there(apps, schema_editor):
    """Count what accounts keep already; may be cut off and run again, beside anything.

    Tasks that processes of the release before make later are not counted until they end.
    """
    last = ""
    while last is not None:
        with transaction.atomic(schema_editor.connection.alias):
            last = count_some_after(last, apps, schema_editor.connection.alias)


def count_some_after(last, apps, database):
    """Count the next tasks that are not counted; return the last one, None after the end."""
    Task = apps.get_model("tasks_app", "Task")
    TaskCSV = apps.get_model("tasks_app", "TaskCSV")
    tasks = Task.objects.using(database)
    files = TaskCSV.objects.using(database).filter(task=OuterRef("pk")).order_by()
    sizes = files.values("task").annotate(sum=Sum("size_bytes")).values("sum")
    uncounted = tasks.filter(stored_bytes=None).exclude(status="removed")
    locked = uncounted.filter(pk__gt=last).select_for_update().order_by("pk")
    ids = list(locked.values_list("pk", flat=True)[:MOST_AT_ONCE])
    if not ids:
        return None
    tasks.filter(pk__in=ids).update(stored_bytes=Coalesce(Subquery(sizes), 0))
    counts, sums = Counter(), Counter()
    for account_id, size in tasks.filter(pk__in=ids).values_list("account_id", "stored_bytes"):
        counts[account_id] += 1
        sums[account_id] += size
    AccountUsage = apps.get_model("tasks_app", "AccountUsage")
    for account_id in sorted(counts):  # others lock one account at a time, and last
        usage, _ = AccountUsage.objects.using(database).get_or_create(pk=account_id)
        AccountUsage.objects.using(database).filter(pk=usage.pk).update(
            task_count=F("task_count") + counts[account_id],
            stored_bytes=F("stored_bytes") + sums[account_id],
        )
    return ids[-1]


class Migration(migrations.Migration):
    atomic = False  # each step commits by itself

    dependencies = [
        ("tasks_app", "0007_output_bytes"),
    ]

    operations = [
        migrations.RunPython(count_what_is_there, migrations.RunPython.noop, elidable=True),
    ]
