import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from piston import disk_reserve
from piston.disk_reserve import LOW_BYTES, LOW_INODES, PIECE_COUNT, DiskFull

PIECE_BYTES = 64 * 1024
PLENTY = 2**30


class Disk:
    """A disk of a certain size; the folder has the files of the reserve."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.others_bytes = PLENTY  # would be free without the reserve
        self.others_inodes = PLENTY

    def free(self) -> tuple[int, int]:
        held = list((self.folder / "reserve").glob("*"))
        size = sum(path.stat().st_size for path in held)
        return self.others_bytes - size, self.others_inodes - len(held)

    @property
    def piece_count(self) -> int:
        return len(list((self.folder / "reserve").glob("*")))


@pytest.fixture
def disk(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Disk:
    settings.PISTON_DATA_DIR = tmp_path
    settings.PISTON_RESERVE_BYTES = PIECE_COUNT * PIECE_BYTES
    settings.DATABASE_IS_EMBEDDED = True
    made = Disk(tmp_path)
    monkeypatch.setattr(disk_reserve, "free", made.free)
    monkeypatch.setattr(disk_reserve, "_noted_at", float("-inf"))
    return made


def fill(disk: Disk) -> None:
    """Use up the room beside the reserve, as another program would."""
    assert disk_reserve.restore()
    disk.others_bytes = settings_bytes()


def settings_bytes() -> int:
    return PIECE_COUNT * PIECE_BYTES


def sqlite_error(code: int) -> OperationalError:
    error = OperationalError("…")
    error.__cause__ = sqlite3.OperationalError("…")
    error.__cause__.sqlite_errorcode = code
    return error


def test_the_reserve_is_made_when_room_is_asked_for(disk: Disk) -> None:
    disk_reserve.check_room(1_000)

    held = sorted((disk.folder / "reserve").iterdir())
    assert [path.stat().st_size for path in held] == [PIECE_BYTES] * PIECE_COUNT
    assert {path.stat().st_mode & 0o077 for path in [*held, held[0].parent]} == {0}


def test_what_would_leave_less_than_the_reserve_has_to_wait(disk: Disk) -> None:
    disk.others_bytes = settings_bytes() + 2 * LOW_BYTES + 1_000
    disk_reserve.check_room(1_000)

    with pytest.raises(DiskFull, match="too little room"):
        disk_reserve.check_room(1_001)


def test_what_needs_the_last_inodes_has_to_wait(disk: Disk) -> None:
    disk.others_inodes = PIECE_COUNT + 2 * LOW_INODES
    disk_reserve.check_room()

    disk.others_inodes -= 1

    assert disk_reserve.is_short()


def test_people_find_a_mebibyte_on_a_full_disk(disk: Disk) -> None:
    fill(disk)

    disk_reserve.release()

    assert disk.free()[0] == LOW_BYTES  # and not more than that
    assert disk_reserve.is_short()


def test_people_find_inodes_where_all_are_taken(disk: Disk) -> None:
    assert disk_reserve.restore()
    disk.others_inodes = PIECE_COUNT

    disk_reserve.release()

    assert disk.free()[1] == LOW_INODES


def test_nothing_is_released_while_there_is_room(disk: Disk) -> None:
    assert disk_reserve.restore()

    disk_reserve.release()

    assert disk.piece_count == PIECE_COUNT


def test_the_reserve_is_whole_again_once_there_is_room(disk: Disk) -> None:
    fill(disk)
    disk_reserve.release()
    assert not disk_reserve.restore()
    disk.others_bytes = PLENTY

    disk_reserve.check_room()

    assert disk.piece_count == PIECE_COUNT


def test_what_is_deleted_goes_to_the_reserve_first(disk: Disk) -> None:
    fill(disk)
    disk_reserve.release()
    released_count = PIECE_COUNT - disk.piece_count
    disk.others_bytes += LOW_BYTES + LOW_BYTES // 2

    assert not disk_reserve.restore()

    assert PIECE_COUNT - disk.piece_count < released_count
    assert disk.free()[0] >= 2 * LOW_BYTES


def test_a_piece_that_was_cut_off_is_written_again(disk: Disk) -> None:
    assert disk_reserve.restore()
    last = disk.folder / "reserve" / f"{PIECE_COUNT - 2:02}"
    last.write_bytes(b"half")

    assert disk_reserve.restore()

    assert last.stat().st_size == PIECE_BYTES


def test_a_quota_is_noticed_by_its_error(disk: Disk) -> None:
    assert disk_reserve.restore()  # and statvfs says that there is room

    assert disk_reserve.note(OSError(errno.EDQUOT, "…"))

    assert disk.piece_count == PIECE_COUNT - 2


def test_while_a_quota_keeps_the_reserve_from_being_whole_others_wait(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise OSError(errno.EDQUOT, "…")

    monkeypatch.setattr(disk_reserve, "write_piece", refuse)

    assert disk_reserve.is_short()


def test_a_folder_that_cannot_be_written_to_is_another_trouble(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise OSError(errno.EROFS, "…")

    monkeypatch.setattr(disk_reserve, "write_piece", refuse)

    assert not disk_reserve.is_short()


@pytest.mark.parametrize(
    ("make", "is_full"),
    [
        (lambda: OSError(errno.ENOSPC, "…"), True),
        (lambda: OSError(errno.EDQUOT, "…"), True),
        (lambda: OSError(errno.EIO, "…"), False),
        (lambda: sqlite_error(sqlite3.SQLITE_FULL), True),
        (lambda: sqlite_error(sqlite3.SQLITE_BUSY), False),
        (lambda: sqlite_error(sqlite3.SQLITE_IOERR_WRITE), False),  # there is room: a broken disk
        (lambda: ValueError("…"), False),
    ],
)
def test_errors_of_a_full_disk_are_told_from_others(
    disk: Disk, make: Callable[[], Exception], is_full: bool
) -> None:
    assert disk_reserve.is_full(make()) is is_full


def test_an_error_of_input_and_output_means_full_where_nothing_can_be_written(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.ENOSPC, "…")

    monkeypatch.setattr(disk_reserve.tempfile, "TemporaryFile", refuse)

    assert disk_reserve.is_full(sqlite_error(sqlite3.SQLITE_IOERR_SHMSIZE))
    assert disk_reserve.is_exhausted()


@pytest.mark.parametrize("other", [{"DATABASE_IS_EMBEDDED": False}, {"PISTON_RESERVE_BYTES": 0}])
def test_without_sqlite_or_with_a_reserve_of_zero_nothing_is_kept(
    disk: Disk, settings: Any, other: dict[str, int]
) -> None:
    for name, value in other.items():
        setattr(settings, name, value)
    disk.others_bytes = 0

    disk_reserve.check_room(1_000)

    assert not (disk.folder / "reserve").exists()
