from typing import Any

from django.db import migrations, models
from django.db.models import F


def remember_reservations(apps: Any, schema_editor: Any) -> None:
    """Let each reserved number remember its account, as numbers reserved from now on do."""
    numbers = apps.get_model("number_management", "PhoneNumber").objects
    using = schema_editor.connection.alias
    numbers.using(using).filter(state="reserved").update(reservations=F("account_id"))


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
        migrations.RunPython(remember_reservations, migrations.RunPython.noop),
    ]
