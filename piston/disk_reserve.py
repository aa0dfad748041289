"""Reserves room on the disk, so that people can still act when it is full.

On SQLite, the database, the messages and the files share one disk. Signing in, stopping and
deleting write a little, too. So files with random bytes hold `PISTON_RESERVE_BYTES` of that disk.
Uploads, rows and outputs do not use this room: they wait while the reserve is not whole. People's
actions need a MiB, and so does the sweeper, which frees the room of deleted tasks. When less is
left, a few of the files are deleted. The sweeper makes them again when there is room.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

from django.conf import settings

PIECE_COUNT = 32  # each holds an inode as well
LOW_BYTES, LOW_INODES = 2**20, 8  # people's actions need this much
REASON = (
    "there is too little room on the disk of the server; remove tasks that are not needed any more,"
    " or make room on it"
)
FULL = {errno.ENOSPC, errno.EDQUOT}
POSTGRESQL_DISK_FULL = "53100"

_noted_at = float("-inf")  # on this process's monotonic clock


class DiskFull(OSError):
    """A write would use room of the reserve, so it has to wait."""

    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, REASON)


def check_room(size_bytes: int = 0) -> None:
    """Raise DiskFull unless the reserve is whole and `size_bytes` fit beside it.

    This costs a statvfs and a stat, which is cheap enough for every block of an upload.
    """
    if not is_kept():
        return
    wanted = least_free_bytes() + size_bytes
    if not (is_whole() or restore()) or not has(wanted, 2 * LOW_INODES):
        raise DiskFull


def least_free_bytes() -> int:
    """Return the bytes to keep free beside the reserve, for a program that cannot check it."""
    return 2 * LOW_BYTES if is_kept() else 0


def is_short() -> bool:
    """Do uploads, rows and outputs have to wait?"""
    try:
        check_room()
    except DiskFull:
        return True
    return False


def release() -> None:
    """Delete files of the reserve until a MiB is free."""
    if not is_kept() or has(LOW_BYTES, LOW_INODES):
        return
    for each in reversed(pieces()):  # so that the last file exists only if the reserve is whole
        each.unlink(missing_ok=True)
        if has(LOW_BYTES, LOW_INODES):
            return


def restore() -> bool:
    """Make as much of the reserve as fits; return False if it is still not whole."""
    if not is_kept():
        return True
    size_bytes = settings.PISTON_RESERVE_BYTES // PIECE_COUNT
    try:
        with locked():
            for each in [each for each in pieces() if size_of(each) != size_bytes]:
                if not has(2 * LOW_BYTES + size_bytes, 2 * LOW_INODES + 1):
                    return False
                write_piece(each, size_bytes)
    except OSError as error:
        return not is_full(error)  # a folder that is not writable is another problem
    return True


def write_piece(path: Path, size_bytes: int) -> None:
    """Write one file of the reserve atomically, with bytes that no disk can compress."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    unfinished = path.with_suffix(".new")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(os.urandom(size_bytes))
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def note(error: BaseException) -> bool:
    """Tell whether an error means that a disk is full; if so, release some of the reserve.

    Release it even if room seems to be left, because a user's quota cannot be seen in advance.
    """
    global _noted_at  # noqa: PLW0603 - of this process only; of simultaneous errors, one counts
    if not is_full(error):
        return False
    if is_kept() and monotonic() - _noted_at > 1:
        _noted_at = monotonic()
        release()
        there = [each for each in pieces() if each.exists()]
        for each in there[-2:]:
            each.unlink(missing_ok=True)
    return True


def is_full(error: BaseException) -> bool:
    """Tell whether an error of a file or the database means that a disk is full."""
    if isinstance(error, OSError):
        return error.errno in FULL
    cause = error if error.__cause__ is None else error.__cause__
    if getattr(cause, "sqlstate", None) == POSTGRESQL_DISK_FULL:
        return True
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:  # SQLite's codes for any disk error
        return is_exhausted()
    return code == sqlite3.SQLITE_FULL


def is_exhausted() -> bool:
    """Is there no room for the smallest write, although the reserve was released?"""
    if not settings.DATABASE_IS_EMBEDDED:
        return False
    try:
        with tempfile.TemporaryFile(dir=settings.PISTON_DATA_DIR) as file:
            file.write(bytes(64 * 1024))
    except OSError as error:
        return error.errno in FULL
    return False


def is_kept() -> bool:
    """Is there a reserve? With PostgreSQL, people's actions do not write to this disk."""
    return bool(settings.DATABASE_IS_EMBEDDED and settings.PISTON_RESERVE_BYTES)


def is_whole() -> bool:
    """Is the whole reserve there?"""
    return os.path.exists(f"{settings.PISTON_DATA_DIR}/reserve/{PIECE_COUNT - 1}")  # noqa: PTH110 - a fifth of the time: asked for every block


def pieces() -> list[Path]:
    """Return the paths of the reserve's files, existing or not; the last is deleted first."""
    folder = settings.PISTON_DATA_DIR / "reserve"
    return [folder / f"{number:02}" for number in range(PIECE_COUNT)]


def has(size_bytes: int, inodes: int) -> bool:
    """Are this many bytes and inodes free?"""
    free_bytes, free_inodes = free()
    return free_bytes >= size_bytes and free_inodes >= inodes


def free() -> tuple[int, int]:
    """Return the free bytes and inodes; for a disk that does not report them, sys.maxsize."""
    try:
        disk = os.statvfs(settings.PISTON_DATA_DIR)
    except OSError:
        return sys.maxsize, sys.maxsize
    blocks = disk.f_bavail if os.geteuid() else disk.f_bfree  # some blocks are only for root
    return blocks * disk.f_frsize, disk.f_favail if disk.f_files else sys.maxsize


def size_of(path: Path) -> int:
    """Return the size of a file; 0 if it does not exist."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def locked() -> Iterator[None]:
    """Let one process at a time make the reserve."""
    descriptor = os.open(settings.PISTON_DATA_DIR, os.O_RDONLY)
    try:
        with suppress(OSError):  # without locks in the file system, two may make it at a time
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
