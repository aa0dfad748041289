import errno
import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from piston.storages.folder import SyncedFileStorage


def test_a_file_and_its_folders_are_on_disk_before_its_name_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[Path, int]] = []

    def remember(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path, path.stat().st_size if path.is_file() else 0))

    monkeypatch.setattr(os, "fsync", remember)

    name = SyncedFileStorage(location=tmp_path / "files").save("ab/in.csv", ContentFile(b"12345"))

    folder = tmp_path / "files"
    assert name == "ab/in.csv"
    assert synced == [(folder / "ab/in.csv", 5), (folder / "ab", 0), (folder, 0)]


def test_a_file_that_does_not_reach_the_disk_is_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(OSError, match="the disk is broken"):
        SyncedFileStorage(location=tmp_path).save("in.csv", ContentFile(b"12345"))
