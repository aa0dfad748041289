from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0006_event_to_forget"),
    ]

    operations = [
        migrations.AddField(
            model_name="task",
            name="output_bytes",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                help_text="Of out.csv and failed.csv without their headers, so far.",
            ),
        ),
    ]
