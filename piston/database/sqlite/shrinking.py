"""Returns free pages of the SQLite file to the disk when the disk has little room.

Deleted rows leave free pages in the file, which SQLite reuses; the file never shrinks by itself.
If much was deleted, the remaining rows are copied into fewer pages.
"""

from __future__ import annotations

import logging
from pathlib import Path

from django.db import OperationalError, connection

from piston import disk_reserve

logger = logging.getLogger(__name__)

MAX_COPIED_BYTES = 64 * 2**20  # copied in memory while all other writes wait: about a second
SHARE = 4  # shrinking is worth it for more than a quarter of the disk's free room
WAIT_MILLISECONDS = 1_000  # for readers to finish; otherwise the next sweep tries again


def shrink_database() -> None:
    """Return SQLite's free pages to the disk if they are much of the room there."""
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
