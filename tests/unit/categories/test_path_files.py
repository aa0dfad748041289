"""Are `.pth` files that appear while a process runs followed, as at a start?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from categories.registry import path_files


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on the import path where pip installs; each test gets its own path."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    monkeypatch.setattr(path_files, "_read", {})
    path_files.remember()
    return folder


def test_the_folder_of_an_editable_install_is_added(site: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (site / "greetings.pth").write_text(f"# a comment\n\n{tmp_path / 'source'}\n../nowhere\n")

    path_files.follow()

    assert sys.path[-1] == str(tmp_path / "source")


def test_an_import_is_run_once(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREETINGS", "")
    (site / "finder.pth").write_text("import os; os.environ['GREETINGS'] += 'x'\n")

    path_files.follow()
    path_files.follow()

    assert os.environ["GREETINGS"] == "x"


def test_a_file_that_has_changed_is_followed_again(site: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    file = site / "easy-install.pth"
    file.write_text(f"{tmp_path / 'one'}\n")
    path_files.follow()

    file.write_text(f"{tmp_path / 'one'}\n{tmp_path / 'two'}\n")
    os.utime(file, (1, 1))
    path_files.follow()

    assert sys.path[-2:] == [str(tmp_path / "one"), str(tmp_path / "two")]


@pytest.mark.parametrize("text", [None, "# nothing\n"])
def test_what_is_gone_is_taken_off_the_import_path(
    text: str | None, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    file = site / "greetings.pth"
    file.write_text(f"{tmp_path / 'source'}\n")
    path_files.follow()
    before = sys.path[-1]

    if text is None:
        file.unlink()
    else:
        file.write_text(text)
        os.utime(file, (1, 1))
    path_files.follow()

    assert before == str(tmp_path / "source")
    assert before not in sys.path


def test_what_two_files_name_stays_while_one_does(site: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name in ("one.pth", "two.pth"):
        (site / name).write_text(f"{tmp_path / 'source'}\n")
    path_files.follow()

    (site / "one.pth").unlink()
    path_files.follow()

    assert sys.path.count(str(tmp_path / "source")) == 1


def test_what_was_there_at_the_start_is_left_to_python(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "old.pth").write_text("import os; os.environ['GREETINGS'] = 'run again'\n")
    monkeypatch.delenv("GREETINGS", raising=False)
    path_files.remember()

    path_files.follow()

    assert "GREETINGS" not in os.environ


def test_a_broken_file_is_logged(site: Path, caplog: pytest.LogCaptureFixture) -> None:
    (site / "broken.pth").write_text("import no_such_module\n")

    path_files.follow()

    assert "broken.pth cannot be followed" in caplog.text
