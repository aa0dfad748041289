from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("tasks_app", "0008_count_what_is_there"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="segment",
            index=models.Index(
                condition=models.Q(("claimed_for__gt", "")),
                fields=["claimed_for"],
                name="segment_claimed",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("status", "removed"), _negated=True),
                fields=["account", "category", "action", "-created_at", "-id"],
                name="task_list_by_kind",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("status", "removed"), _negated=True),
                fields=["account", "action", "-created_at", "-id"],
                name="task_list_by_action",
            ),
        ),
    ]
