"""Lets each reserved number remember its account, as numbers reserved from now on do."""

from typing import Any

from django.db import migrations
from django.db.models import F

NUMBERS_AT_A_TIME = 5_000  # a transaction each, so that no lock lasts long


def remember_reservations(apps: Any, schema_editor: Any) -> None:
    """Fill in the account, a few thousand numbers at a time; safe to repeat."""
    numbers = apps.get_model("number_management", "PhoneNumber").objects
    using = schema_editor.connection.alias
    missing = numbers.using(using).filter(state="reserved", reservations=None)
    while chunk := list(missing.values_list("pk", flat=True)[:NUMBERS_AT_A_TIME]):
        numbers.using(using).filter(pk__in=chunk).update(reservations=F("account_id"))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("number_management", "0002_reservations")]

    operations = [migrations.RunPython(remember_reservations, migrations.RunPython.noop)]
