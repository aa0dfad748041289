from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0005_account_usage"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="taskevent",
            index=models.Index(
                condition=models.Q(("kind__in", ["removed", "expired", "downloaded"])),
                fields=["at"],
                name="event_to_forget",
            ),
        ),
    ]
