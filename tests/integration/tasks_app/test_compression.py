"""How does PostgreSQL compress parts?"""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import NotSupportedError, connection

compressing = import_module("tasks_app.migrations.0011_compress_parts_fast")


@pytest.mark.postgresql
@pytest.mark.django_db
def test_parts_are_compressed_with_lz4() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute"
            " WHERE attrelid = 'tasks_app_part'::regclass AND attcompression = 'l'"
        )
        columns = {name for (name,) in cursor.fetchall()}

    assert columns == {"output", "failed"}


@pytest.mark.django_db
def test_a_server_without_lz4_is_migrated_all_the_same() -> None:
    asked = []

    def refuse(statement: str) -> None:
        asked.append(statement)
        raise NotSupportedError("compression method lz4 not supported")

    database = SimpleNamespace(vendor="postgresql", alias="default")
    compressing.compress_fast(None, SimpleNamespace(connection=database, execute=refuse))

    assert len(asked) == 1
