"""Does `manage.py startcategory` make a category that works at once, wherever it is made?"""

import re
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from categories.management.commands import startcategory
from tests.tutorial import run

BIN = Path(sys.executable).parent
FILES = ["__init__.py", "category.py", "conftest.py", "pyproject.toml"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(name: str) -> str:
    out = StringIO()
    call_command("startcategory", name, stdout=out)
    return out.getvalue()


def test_the_command_that_it_prints_runs_its_tests_and_they_pass(folder: Path) -> None:
    said = start("greetings")
    (command,) = re.findall(r"^Test it: +(.*)$", said, re.MULTILINE)

    ran = run(*command.split(), cwd=folder)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout


def test_its_tests_pass_from_within_its_folder_too(folder: Path) -> None:
    start("greetings")

    ran = run(sys.executable, "-m", "pytest", cwd=folder / "greetings")

    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_its_tests_notice_a_broken_action(folder: Path) -> None:
    start("greetings")
    code = folder / "greetings" / "category.py"
    code.write_text(code.read_text().replace("row.text.upper()", "row.text"))

    ran = run(sys.executable, "-m", "pytest", "greetings", cwd=folder)

    assert "1 failed" in ran.stdout


@pytest.mark.parametrize("name", ["greetings", "a", "zebra_crossings", "shout"])
def test_what_it_makes_passes_the_checks_of_code(name: str, folder: Path) -> None:
    start(name)
    configuration = f"--config-file={name}/pyproject.toml"

    checks = [
        run(BIN / "ruff", "check", name, cwd=folder),
        run(BIN / "ruff", "format", "--check", name, cwd=folder),
        *([run(BIN / "mypy", configuration, name, cwd=folder)] if name == "shout" else []),
    ]

    assert [check.returncode for check in checks] == [0] * len(checks), [
        check.stdout + check.stderr for check in checks
    ]


def test_what_it_makes_can_be_registered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    said = start("night_trains")
    monkeypatch.syspath_prepend(str(folder))
    (path,) = re.findall(r"register_category (\S+)", said)
    out = StringIO()

    call_command("register_category", path, stdout=out)

    for module in ("night_trains", "night_trains.category"):
        del sys.modules[module]
    assert "Registered night_trains, version 1: shout." in out.getvalue()


def test_a_second_run_overwrites_nothing(folder: Path) -> None:
    start("greetings")
    code = folder / "greetings" / "category.py"
    code.write_text("# mine\n")

    with pytest.raises(CommandError, match="is there already"):
        start("greetings")

    assert code.read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "not lower-case") for name in ("Greetings", "1a", "a-b", "", "a.b", "../x", "ä")),
        ("n" * 101, "more than 100"),
        ("class", "a word of Python"),
        ("json", "the name of a Python module"),
        ("categories", "the name of a Python module"),
        ("rates", "the name of a category that ships"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused_with_the_reason(
    name: str, why: str, folder: Path
) -> None:
    with pytest.raises(CommandError, match=why):
        start(name)

    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", refuse)

    with pytest.raises(CommandError, match="cannot be made: No space left"):
        start("greetings")

    assert list(folder.iterdir()) == []


def test_no_template_has_a_path_of_a_machine() -> None:
    templates = [path.read_text() for path in startcategory.TEMPLATES.glob("*.txt")]

    assert len(templates) == len(FILES) + 1
    assert not [text for text in templates if str(settings.BASE_DIR) in text or "/home" in text]
