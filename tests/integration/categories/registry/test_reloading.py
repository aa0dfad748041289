"""Tests that a registration loads a plugin's current code, whatever Python has cached."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from categories import registry
from categories.registry import loaded, plugin_modules, refreshing, registering
from categories.registry.loading import CannotLoad
from tests.integration.categories.conftest import PLUGIN, Write
from tests.integration.categories.registry.test_registry import said

pytestmark = pytest.mark.django_db

USING_WORDS = PLUGIN.replace('"{version}")', "WORD)")


def test_a_module_beside_a_plugin_of_one_module_is_read_again(write_plugin: Write) -> None:
    write_plugin("plugin_words", text='WORD = "{version}"', version="old")
    text = "from plugin_words import WORD\n" + USING_WORDS
    registering.register(write_plugin(text=text))
    before = said("v ")

    write_plugin("plugin_words", text='WORD = "{version}"', version="new")
    registering.register("echo_plugin.Plugin")

    assert (before, said("v ")) == ("v old", "v new")


def test_a_module_anywhere_in_the_package_is_read_again(write_plugin: Write) -> None:
    for package in ("plugin_package", "plugin_package.deep"):
        write_plugin(f"{package}.__init__", text="")
    write_plugin("plugin_package.words", text='WORD = "{version}"', version="old")
    text = "from plugin_package.words import WORD\n" + USING_WORDS
    path = write_plugin("plugin_package.deep.category", text=text)
    registering.register(path)
    before = said("v ")

    write_plugin("plugin_package.words", text='WORD = "{version}"', version="new")
    registering.register(path)

    assert (before, said("v ")) == ("v old", "v new")


def test_a_file_of_the_same_second_and_size_is_read_again(
    write_plugin: Write, tmp_path: Path
) -> None:
    path = write_plugin(version="1")
    os.utime(tmp_path / "echo_plugin.py", (1_000, 1_000))
    compiled_by_others(tmp_path / "echo_plugin.py")
    registering.register(path)
    before = said("v")

    write_plugin(version="2")
    os.utime(tmp_path / "echo_plugin.py", (1_000, 1_000))
    registering.register(path)

    assert (before, said("v")) == ("v1", "v2")


def compiled_by_others(file: Path) -> None:
    """Let Python write a `.pyc`, as pip does."""
    import py_compile

    py_compile.compile(str(file), doraise=True)


def test_a_process_that_inherited_old_modules_reads_the_current_code(write_plugin: Write) -> None:
    """A child of gunicorn or Celery has the modules that its parent had at the fork."""
    registering.register(write_plugin(version="1"))
    said("v")
    record = registry.all_entries()
    write_plugin(version="2")

    child = refreshing.Registry()

    assert {entry.name for entry in record} >= {"echo"}
    assert child.find("echo").category.version == "2"  # type: ignore[union-attr]


def test_code_that_is_gone_does_not_go_on_running(write_plugin: Write, tmp_path: Path) -> None:
    registering.register(write_plugin())
    before = registry.known_names()

    (tmp_path / "echo_plugin.py").unlink()
    registry.expire()

    assert "echo" in before
    assert "echo" not in registry.known_names()


def test_code_that_comes_back_is_used_again(
    write_plugin: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded, "RETRY_SECONDS", 0)
    registering.register(write_plugin())
    (tmp_path / "echo_plugin.py").unlink()
    registry.expire()
    without = registry.known_names()

    write_plugin(version="2")
    registry.expire()

    assert "echo" not in without
    assert said("v") == "v2"


def test_no_code_is_exchanged_while_an_action_runs(write_plugin: Write) -> None:
    registering.register(write_plugin(version="1"))
    said("v")

    with registry.unchanged():
        registering.register(write_plugin(version="2"))
        during = said("v")

    assert (during, said("v")) == ("v1", "v2")


def test_models_that_have_changed_need_a_restart(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_plugin()
    registering.register(path)
    monkeypatch.setattr(plugin_modules, "_digests", {"echo_plugin": "of another source"})

    with pytest.raises(CannotLoad, match=r"echo_plugin\) have changed .* restart web, worker"):
        registering.register(path)


def test_a_plugin_with_an_app_that_is_not_loaded_names_the_remedy(
    write_plugin: Write, tmp_path: Path
) -> None:
    write_plugin("plugin_package.__init__", text="")
    path = write_plugin("plugin_package.category")
    (tmp_path / "plugin_package" / "migrations").mkdir()

    with pytest.raises(CannotLoad, match=r"without the Django app plugin_package\. Name it in"):
        registering.register(path)


def test_a_model_outside_of_an_app_names_the_remedy(write_plugin: Write) -> None:
    model = "from django.db import models\n\n\nclass Word(models.Model):\n    pass\n"

    with pytest.raises(
        CannotLoad, match=r"INSTALLED_APPS.*models of its own: name its app in PISTON_APPS, run"
    ):
        registering.register(write_plugin(text=model + PLUGIN))


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("if True", r"SyntaxError: expected ':' \(\S*echo_plugin.py:1\)$"),
        ("import re; re.compile('[')", r"unterminated .* \(\S*echo_plugin.py:1\)$"),
        ("import nowhere", r"ModuleNotFoundError: No module named 'nowhere' \(\S*echo_plugin.py:1"),
        ("import echo_helper", r"ZeroDivisionError: division by zero \(\S*echo_helper.py:2\)$"),
    ],
)
def test_an_error_has_the_line_of_the_plugin(
    line: str, error: str, write_plugin: Write, tmp_path: Path
) -> None:
    (tmp_path / "echo_helper.py").write_text("# helps\n1 / 0\n")

    with pytest.raises(CannotLoad, match=error):
        registering.register(write_plugin(text=line))


def test_a_module_that_is_not_on_the_path_names_the_remedy() -> None:
    with pytest.raises(CannotLoad, match=r"No module named 'elsewhere'; install it with pip, or"):
        registering.register("elsewhere.category.Plugin")


@pytest.mark.parametrize("path", ["echo_plugin.Plug", "plugin_package.category"])
def test_a_path_to_no_category_suggests_one(path: str, write_plugin: Write) -> None:
    write_plugin()
    write_plugin("plugin_package.__init__", text="")
    write_plugin("plugin_package.category")

    with pytest.raises(CannotLoad, match=r"is not a Category class: did you mean \S+\.Plugin\?$"):
        registering.register(path)


def test_modules_of_other_authors_are_left_alone(write_plugin: Write) -> None:
    registering.register(write_plugin())
    before = {name: id(sys.modules[name]) for name in ("django", "piston", "categories.contract")}

    registering.register("echo_plugin.Plugin")

    assert {name: id(sys.modules[name]) for name in before} == before
