"""Are parts compressed on PostgreSQL at all? With lz4 they are; so far they were kept as they are."""

from __future__ import annotations

from typing import Any

from django.db import migrations

WITH_LZ4 = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = 'tasks_app_part'::regclass AND attcompression = 'l'
"""
STATEMENT = 'ALTER TABLE "tasks_app_part" ALTER COLUMN "{}" SET STORAGE EXTENDED'


def compress(_apps: Any, editor: Any) -> None:
    """Let new parts be compressed where that is quick; a server without lz4 goes on as it did."""
    if editor.connection.vendor != "postgresql":
        return
    with editor.connection.cursor() as cursor:
        cursor.execute(WITH_LZ4)
        for (column,) in cursor.fetchall():
            editor.execute(STATEMENT.format(column))


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0011_compress_parts_fast")]
    operations = [migrations.RunPython(compress, migrations.RunPython.noop, elidable=False)]
