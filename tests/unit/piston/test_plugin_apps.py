"""Are the Django apps of plugins found, and is one that cannot be loaded named?"""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from piston import plugin_apps
from tests.unit.piston.test_settings import read_again

APP = "from django.apps import AppConfig\n\n\nclass WordsConfig(AppConfig):\n    name = '{}'\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def write(folder: Path, name: str, text: str = "") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def announce(folder: Path, value: str) -> None:
    write(folder, "words-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: words\nVersion: 1\n")
    write(folder, "words-1.dist-info/entry_points.txt", f"[piston.categories]\nwords = {value}\n")


def test_the_apps_of_the_variable_are_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "named_words/__init__.py")
    write(folder, "named_words/apps.py", APP.format("named_words"))
    monkeypatch.setenv("PISTON_APPS", "named_words.apps.WordsConfig")

    assert read_again().INSTALLED_APPS[-1] == "named_words.apps.WordsConfig"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("no_such_app", "ModuleNotFoundError: No module named 'no_such_app'"),
        ("django.apps.NoSuchConfig", "does not contain a 'NoSuchConfig' class"),
        ("broken_words", "ZeroDivisionError"),
        ("django.db.models.Model", "isn't a subclass of AppConfig"),
    ],
)
def test_an_app_that_cannot_be_loaded_stops_the_start_with_a_sentence(
    entry: str, why: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "broken_words/__init__.py", "1 / 0")
    monkeypatch.setenv("PISTON_APPS", entry)

    with pytest.raises(ImproperlyConfigured, match=f"PISTON_APPS names {entry!r}.*{why}"):
        read_again()


@pytest.mark.parametrize(
    ("files", "value", "found"),
    [
        (["words/apps.py"], "words.category:Words", ["words"]),
        (["words/migrations/__init__.py"], "words.category:Words", ["words"]),
        (["words/deep/apps.py"], "words.deep.category:Words", ["words.deep"]),
        (["words/apps.py"], "words:Words", ["words"]),
        (["words/models.py"], "words.category:Words", []),  # not Django's, for all we know
        (["words/other/apps.py"], "words.category:Words", []),
        (["words.py"], "words:Words", []),
        ([], "nowhere.category:Words", []),
        ([], "", []),
        ([], ".words:", []),
    ],
)
def test_the_app_around_an_announced_category_is_found(
    files: list[str], value: str, found: list[str], folder: Path
) -> None:
    announce(folder, value)
    for name in files:
        write(folder, name)
        for parent in Path(name).parents:
            if parent.name:
                write(folder, f"{parent}/__init__.py")

    assert list(plugin_apps.packages_with_apps()) == found


def test_an_app_that_was_named_is_not_taken_twice(folder: Path) -> None:
    write(folder, "twice_words/__init__.py")
    write(folder, "twice_words/apps.py", APP.format("twice_words"))
    announce(folder, "twice_words:Words")

    found = plugin_apps.find_apps(["twice_words.apps.WordsConfig"], ["categories"])

    assert found == ["twice_words.apps.WordsConfig"]


def test_a_broken_app_of_a_package_keeps_nobody_from_starting(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(folder, "bad_words/__init__.py", "1 / 0")
    write(folder, "bad_words/apps.py")
    announce(folder, "bad_words.category:Words")

    assert plugin_apps.find_apps([], []) == []
    assert "bad_words cannot be loaded" in caplog.text
