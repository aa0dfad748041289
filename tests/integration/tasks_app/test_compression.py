"""Tests how PostgreSQL compresses parts."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import NotSupportedError, connection

from tasks_app.models import Part
from tests.factories import TaskFactory

compressing = import_module("tasks_app.migrations.0011_compress_parts_fast")


@pytest.mark.postgresql
@pytest.mark.django_db
def test_parts_are_compressed_with_lz4() -> None:
    lines = b"".join(b"%d,in_service,\n" % number for number in range(10_000))
    part = Part(
        task=TaskFactory.create(),
        segment_index=0,
        number=0,
        first_row=1,
        row_count=10_000,
        success_count=10_000,
        failure_count=0,
        output=lines,
        output_bytes=len(lines),
        failed=lines,
        failed_bytes=len(lines),
    )
    Part.objects.add(part)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_column_compression(output), pg_column_compression(failed),"
            " pg_column_size(output) FROM tasks_app_part"
        )
        output, failed, stored_bytes = cursor.fetchone()

    assert (output, failed) == ("lz4", "lz4")
    assert stored_bytes < len(lines) / 2
    assert bytes(Part.objects.get().output) == lines


@pytest.mark.django_db
def test_a_server_without_lz4_is_migrated_all_the_same() -> None:
    asked = []

    def refuse(statement: str) -> None:
        asked.append(statement)
        raise NotSupportedError("compression method lz4 not supported")

    database = SimpleNamespace(vendor="postgresql", alias="default")
    compressing.compress_fast(None, SimpleNamespace(connection=database, execute=refuse))

    assert len(asked) == 1
