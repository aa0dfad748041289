"""When does room inside the database go back to the disk? When the disk has little of its own.

What is deleted leaves free pages in the file, which SQLite uses again; it never gets smaller by
itself. Where much was deleted, what is left is copied into fewer pages.
"""

from __future__ import annotations

import logging
from pathlib import Path

from django.db import OperationalError, connection

from piston import disk_reserve

logger = logging.getLogger(__name__)

MAX_COPIED_BYTES = 64 * 2**20  # in memory, and while nobody else writes: about a second
SHARE = 4  # a quarter of what is free on the disk is worth it
WAIT_MILLISECONDS = 1_000  # for who is reading; else the next sweep tries


def shrink_database() -> None:
    """Give the free pages of SQLite back to the disk where they are much of what is free."""
    if connection.vendor != "sqlite":
        return
    free_bytes, _ = disk_reserve.free()
    with connection.cursor() as cursor:

        def ask(name: str) -> int:
            return int(cursor.execute(f"PRAGMA {name}").fetchone()[0])

        page_bytes = ask("page_size")
        unused_bytes = ask("freelist_count") * page_bytes
        used_bytes = ask("page_count") * page_bytes - unused_bytes
        log_bytes = disk_reserve.size_of(Path(f"{connection.settings_dict['NAME']}-wal"))
        copy = (
            unused_bytes > free_bytes // SHARE
            and used_bytes <= min(MAX_COPIED_BYTES, free_bytes // 2)
        )  # fmt: skip
        if not copy and log_bytes <= free_bytes // SHARE:
            return
        cursor.execute(f"PRAGMA busy_timeout = {WAIT_MILLISECONDS}")
        try:
            if copy:
                cursor.execute("PRAGMA temp_store = MEMORY")
                cursor.execute("VACUUM")
                logger.info("The database gave %s bytes back to the disk", f"{unused_bytes:,}")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except OperationalError as error:
            logger.info("The database is not made smaller now: %s", error)
        finally:
            connection.close()  # the next one waits as long as usual
