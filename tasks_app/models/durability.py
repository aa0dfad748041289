"""Which writes need not wait for the disk? Those without which nothing goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def need_not_last() -> Iterator[None]:
    """Commit what is written inside without waiting for the disk, where the database can do that.

    It is visible to everybody at once and survives any process of ours. It is lost only if the
    database itself ends within its next instants, with no later commit: that one would keep it.
    """
    with transaction.atomic(durable=True):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit = off")
        yield
