"""Do the broken builds of `make chaos` still have something to break?"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.chaos import __main__ as chaos  # noqa: F401 - registers all of them
from tests.acceptance.chaos.breakages import BREAKAGES, Breakage
from tests.acceptance.installation import ROOT


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=lambda breakage: breakage.name)
def test_a_broken_build_can_be_made_of_the_code(breakage: Breakage) -> None:
    code: dict[str, str] = {}
    for change in breakage.changes:
        before = code.get(change.path) or (ROOT / change.path).read_text()

        code[change.path] = before.replace(change.passage, change.instead)

        assert code[change.path] != before, f"{change.path} lacks {change.passage!r}"
    for name, text in code.items():
        ast.parse(text, name)


def test_no_broken_build_uses_a_name_that_its_file_lacks(tmp_path: Path) -> None:
    for breakage in BREAKAGES.values():
        for change in breakage.changes:
            file = tmp_path / breakage.name / change.path
            file.parent.mkdir(parents=True, exist_ok=True)
            before = file if file.exists() else ROOT / change.path
            file.write_text(before.read_text().replace(change.passage, change.instead))

    found = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stdout
