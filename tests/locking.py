"""How does a test lock rows in PostgreSQL, as somebody else who does not let go?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def locked(*rows: Any, name: str = "psql", how: str = "FOR UPDATE") -> Iterator[int]:
    """Lock rows as somebody else, of that name; yield the process of PostgreSQL that has them."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT set_config('application_name', %s, false)", [name])
            cursor.execute("BEGIN")
            for row in rows:
                meta = row._meta
                cursor.execute(
                    f"SELECT 1 FROM {meta.db_table} WHERE {meta.pk.column} = %s {how}",
                    [row.pk],
                )
            cursor.execute("SELECT pg_backend_pid()")
            (process,) = cursor.fetchone()
            yield process
    finally:
        other.close()
