"""Lets a test write plugins into a folder on the import path, and forgets them afterwards."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from categories.registry import finding, refreshing

Write = Callable[..., str]

PLUGIN = '''
"""A plugin of a test."""

from categories.columns import TextColumn
from categories.contract import Category, Effects, RowAction, Succeeded


class Echo(RowAction):
    """Say it again."""

    word = TextColumn("What to say.", mandatory=True)
    output = [TextColumn("said", "What was said.")]
    effects = Effects.NONE

    def process(self, row, context):
        return Succeeded(said=row.word + "{version}")


class Plugin(Category):
    """Says things again."""

    name = "{name}"
    version = "{version}"
    actions = [Echo]
'''


@pytest.fixture
def write_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Return a function that writes a plugin's module and returns the path of its category."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    written = 0

    def write(
        module: str = "echo_plugin", *, name: str = "echo", version: str = "1", text: str = PLUGIN
    ) -> str:
        nonlocal written
        written += 1
        path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{name}", name).replace("{version}", version))
        # Python compares the times of compiled files in whole seconds
        os.utime(path, (written * 10, written * 10))
        return f"{module}.Plugin"

    yield write
    for module in set(sys.modules) - before:
        if "plugin" in module:
            del sys.modules[module]


@pytest.fixture(autouse=True)
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test with the registry of a new process."""
    monkeypatch.setattr(finding, "_registry", refreshing.Registry())
