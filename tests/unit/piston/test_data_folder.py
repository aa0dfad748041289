"""Is everything in the data folder private, and is an unusable folder refused?"""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from piston import data_folder

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def bits(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def made(path: Path, mode: int) -> Path:
    """Make a file with these permissions, in folders that are open to all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(mode)
    return path


def test_a_new_folder_and_what_is_made_in_it_afterwards_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"

    data_folder.prepare(folder)

    (folder / "file").touch()
    (folder / "inner").mkdir()
    found = [bits(path) for path in (folder, folder / "file", folder / "inner")]
    assert found == [0o700, 0o600, 0o700]


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o750, 0o701])
def test_an_older_folder_is_made_private_with_all_that_is_in_it(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "data"
    names = ("piston.sqlite3", "messages/queue/one.msg", "files/deep/in.csv")
    files = [made(folder / name, 0o644) for name in names]
    folder.chmod(mode)

    data_folder.prepare(folder)

    everything = [folder, *folder.rglob("*")]
    assert all(file in everything for file in files)
    assert [path for path in everything if bits(path) & 0o077] == []
    assert {bits(file) for file in files} == {0o600}


def test_what_is_copied_into_a_private_folder_is_made_private(tmp_path: Path) -> None:
    copied = made(tmp_path / "data" / "piston.sqlite3", 0o644)
    copied.parent.chmod(0o700)

    data_folder.prepare(copied.parent)

    assert bits(copied) == 0o600


def test_what_a_link_leads_to_stays_as_it_is(tmp_path: Path) -> None:
    outside = made(tmp_path / "outside", 0o644)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(outside)

    data_folder.prepare(tmp_path / "data")

    assert bits(outside) == 0o644


def test_a_file_is_refused_as_a_folder(tmp_path: Path) -> None:
    made(tmp_path / "file", 0o600)

    with pytest.raises(ImproperlyConfigured, match="file cannot be used: it is a file"):
        data_folder.prepare(tmp_path / "file")


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "file", 0o600)

    with pytest.raises(ImproperlyConfigured, match="data cannot be used: not a directory"):
        data_folder.prepare(tmp_path / "file" / "data")


def test_a_folder_shared_by_all_users_is_refused_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    made(tmp_path / "shared/theirs", 0o600)
    (tmp_path / "shared").chmod(0o1777)

    with pytest.raises(ImproperlyConfigured, match="everybody may write to it"):
        data_folder.prepare(tmp_path / "shared")

    assert bits(tmp_path / "shared") == 0o1777


@pytest.mark.parametrize("name", ["lost+found", "secret_key"])
def test_a_disk_of_our_own_that_was_just_mounted_is_made_private(tmp_path: Path, name: str) -> None:
    (tmp_path / "disk").mkdir()
    made(tmp_path / "disk" / name, 0o600)
    (tmp_path / "disk").chmod(0o1777)

    data_folder.prepare(tmp_path / "disk")

    assert bits(tmp_path / "disk") == 0o700


@pytest.mark.parametrize("name", ["", "piston.sqlite3", "messages/queue"])
def test_what_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    closed = tmp_path / name
    (closed if "." not in name else tmp_path).mkdir(parents=True, exist_ok=True)
    closed.touch()
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != closed and access(path, mode)
    )

    with pytest.raises(ImproperlyConfigured, match=f"cannot be used: .* may not write to .*{name}"):
        data_folder.prepare(tmp_path)


@pytest.mark.parametrize("name", ["db-wal", "messages/0.piston"])
def test_a_file_that_a_running_process_makes_meanwhile_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is missing when its access is asked for, and there a moment later."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    made(file, 0o600)
    access = os.access
    looks: list[object] = []

    def look(path: Path, mode: int) -> bool:
        if Path(path) == file:
            looks.append(path)
        return access(path, mode) and looks != [path]

    monkeypatch.setattr(os, "access", look)

    data_folder.prepare(tmp_path)
    data_folder.prepare_database(tmp_path / "db")

    assert len(looks) > 1


@pytest.mark.parametrize("name", ["db", "db-wal", "db-shm"])
def test_a_database_elsewhere_is_made_private(tmp_path: Path, name: str) -> None:
    file = made(tmp_path / name, 0o664)

    data_folder.prepare_database(tmp_path / "db")

    assert bits(file) == 0o600


@pytest.mark.parametrize(
    "words",
    [
        ["manage.py", "check"],
        ["-m", "gunicorn", "--config", "piston/web/gunicorn.py", "piston.wsgi"],
        ["-m", "celery", "--app", "piston", "worker"],
        ["-m", "celery", "--app", "piston", "beat"],
    ],
)
def test_whatever_is_started_answers_with_a_sentence_alone(
    tmp_path: Path, words: list[str]
) -> None:
    file = made(tmp_path / "file", 0o600)

    answered = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PISTON_DATA_DIR": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answered.returncode == 1
    assert answered.stderr == (
        f"The data folder {file} cannot be used: it is a file."
        " Make it yours and writable, or choose another one with PISTON_DATA_DIR.\n"
    )
