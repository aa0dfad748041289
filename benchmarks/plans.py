"""Which tables does PostgreSQL read from one end to the other? It tells plans, and it counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

BIG = 1_000  # rows; reading a shorter table as a whole is no mistake
PLANS_START = " plan:\n"


def big_tables(database: psycopg.Connection) -> list[str]:
    """Return the names of the tables for which an index is worth its while."""
    found = database.execute(
        "SELECT relname FROM pg_class JOIN pg_stat_user_tables USING (relname)"
        " WHERE reltuples > %s ORDER BY relname",
        [BIG],
    )
    return [name for (name,) in found]


def sequential_scans(database: psycopg.Connection) -> dict[str, int]:
    """Return how often each big table was read as a whole so far."""
    found = database.execute(
        "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY(%s)",
        [big_tables(database)],
    )
    return dict(found.fetchall())


def assert_no_table_is_read(before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Raise AssertionError when a big table was read as a whole in between."""
    more = {name: after[name] - count for name, count in before.items() if name in after}
    read = {name: count for name, count in more.items() if count}
    if read:
        raise AssertionError(f"read from one end to the other, so many times: {read}")


@contextmanager
def plans_of(database: psycopg.Connection, log: Path) -> Iterator[list[str]]:
    """Let the server write down the plan of all that it does; fill the list at the end."""
    plans: list[str] = []
    name = database.info.dbname
    database.execute("LOAD 'auto_explain'")
    database.execute(f"ALTER DATABASE {name} SET session_preload_libraries = 'auto_explain'")
    database.execute(f"ALTER DATABASE {name} SET auto_explain.log_min_duration = 0")
    # whoever is connected already would go on in silence
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND pid <> pg_backend_pid()",
        [name],
    )
    start = log.stat().st_size
    try:
        yield plans
    finally:
        for setting in ("session_preload_libraries", "auto_explain.log_min_duration"):
            database.execute(f"ALTER DATABASE {name} RESET {setting}")
        written = log.read_bytes()[start:].decode(errors="replace")
        plans += written.split(PLANS_START)[1:]
