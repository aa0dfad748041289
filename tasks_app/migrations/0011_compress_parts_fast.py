"""How are parts compressed on PostgreSQL? With lz4, which takes a third of the server's time."""

from __future__ import annotations

from typing import Any

from django.db import NotSupportedError, migrations, transaction

STATEMENT = 'ALTER TABLE "tasks_app_part" ALTER COLUMN "{}" SET COMPRESSION lz4'


def compress_fast(_apps: Any, editor: Any) -> None:
    """Let new parts be compressed with lz4; a server that was built without it goes on as it did."""
    if editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=editor.connection.alias):
            for column in ("output", "failed"):
                editor.execute(STATEMENT.format(column))
    except NotSupportedError:
        return


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0010_newest_of_all_accounts")]
    operations = [migrations.RunPython(compress_fast, migrations.RunPython.noop, elidable=False)]
