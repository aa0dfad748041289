"""Which database and cache does this installation use, and how?"""

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
    options = database.setdefault("OPTIONS", {})
    if database["ENGINE"] == "django.db.backends.sqlite3":
        data_folder.prepare_database(Path(database["NAME"]))
        database["ENGINE"] = "piston.database.sqlite"  # Django's, and room for it on a full disk
        options |= {
            # a read that turns into a write fails at once unless the lock is taken at BEGIN
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
    elif database["ENGINE"] == "django.db.backends.postgresql":
        database["ENGINE"] = "piston.database.postgresql"  # Django's, and sessions that are ours
        claim_milliseconds = PISTON_CLAIM_SECONDS * 1000
        options |= {
            "connect_timeout": 5,
            # whoever is cut off from the database without a word finds out within a claim:
            # by what it sent and nobody received (ms), or by asking while it waits for a reply (s)
            "tcp_user_timeout": claim_milliseconds,
            "keepalives_idle": max(1, PISTON_CLAIM_SECONDS // 2),
            "keepalives_interval": max(1, PISTON_CLAIM_SECONDS // 6),
            "keepalives_count": 3,
            # of each session, whatever its role has; times in ms, 0 is without end
            "session": {
                # psycopg reads no other dates; nothing here retries what PostgreSQL could not
                # serialize
                "DateStyle": "ISO, MDY",
                "IntervalStyle": "postgres",
                "default_transaction_isolation": "read committed",
                # less than most rows may take: waiting for a lock is not the row's time
                "lock_timeout": min(5_000, claim_milliseconds),
                # a worker that was frozen in mid-transaction must not hold its locks for ever
                "idle_in_transaction_session_timeout": claim_milliseconds,
                "statement_timeout": 0,
                "transaction_timeout": 0,
                "idle_session_timeout": 0,
            },
        }
        # Celery closes connections after each message; this serves the web's threads
        database |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    else:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgres://.")
    return database


DATABASES = {"default": read_database()}

CACHE_URL = read_text("CACHE_URL", "")  # redis://…: throttles then count over all web processes
CACHES = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CACHE_URL,
            # seconds; a frozen cache never holds up a request for longer
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
        }
        if CACHE_URL
        else {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 100_000},  # else counts of clients get lost
        }
    )
}
