from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("number_management", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="phonenumber",
            name="reservations",
            field=models.TextField(
                help_text="Ids of the accounts that reserved it, the newest first, with spaces between.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="phonenumber",
            name="features",
            field=models.JSONField(default=dict, help_text="The public fields: cnam, e911, …"),
        ),
    ]
