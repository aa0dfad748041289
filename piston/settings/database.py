"""The settings of the database and the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from piston import data_folder
from piston.environment import read_text
from piston.settings.base import DATABASE_URL
from piston.settings.limits import PISTON_CLAIM_SECONDS


def read_database() -> dict[str, Any]:
    """Return Django's settings for DATABASE_URL, with what the ledger relies on."""
    try:
        database: dict[str, Any] = dict(dj_database_url.parse(DATABASE_URL))
    except (ValueError, dj_database_url.ParseError) as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from error
    if database["ENGINE"] == "django.db.backends.sqlite3":
        data_folder.prepare_database(Path(database["NAME"]))
        database["ENGINE"] = "piston.database.sqlite"  # Django's, with room for it on a full disk
        own_options = sqlite_options()
    elif database["ENGINE"] == "django.db.backends.postgresql":
        database["ENGINE"] = "piston.database.postgresql"  # Django's, with parameters of our own
        own_options = postgresql_options(PISTON_CLAIM_SECONDS)
        # Celery closes connections after each message; this serves the web's threads
        database |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    else:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgres://.")
    database["OPTIONS"] = database.get("OPTIONS", {}) | own_options
    return database


def sqlite_options() -> dict[str, Any]:
    """Return the options of a connection to SQLite."""
    return {
        # without the lock at BEGIN, a transaction that reads and then writes fails at once
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }


def postgresql_options(claim_seconds: int) -> dict[str, Any]:
    """Return the options of a connection to PostgreSQL, and the parameters of its session."""
    claim_milliseconds = claim_seconds * 1000
    return {
        "connect_timeout": 5,
        # A process detects within a claim that the database is silently unreachable: by data that
        # is not acknowledged (ms), or by probes while it waits for a reply (s).
        "tcp_user_timeout": claim_milliseconds,
        "keepalives_idle": max(1, claim_seconds // 2),
        "keepalives_interval": max(1, claim_seconds // 6),
        "keepalives_count": 3,
        # for each session, regardless of its role's settings; times in ms, 0: no limit
        "session": {
            # psycopg parses no other dates
            "DateStyle": "ISO, MDY",
            "IntervalStyle": "postgres",
            # this code does not retry transactions that PostgreSQL could not serialize
            "default_transaction_isolation": "read committed",
            # less than the time limit of most rows, which does not count waiting for a lock
            "lock_timeout": min(5_000, claim_milliseconds),
            # a worker that froze during a transaction must not keep its locks for ever
            "idle_in_transaction_session_timeout": claim_milliseconds,
            "statement_timeout": 0,
            "transaction_timeout": 0,
            "idle_session_timeout": 0,
        },
    }


DATABASES = {"default": read_database()}

CACHE_URL = read_text("CACHE_URL", "")  # with redis://…, throttles count over all web processes
CACHES = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CACHE_URL,
            # seconds; a cache that does not answer never delays a request for longer
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
        }
        if CACHE_URL
        else {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 100_000},  # with fewer, clients' counts would be evicted
        }
    )
}
