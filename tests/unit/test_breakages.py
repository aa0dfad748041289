"""Do the broken builds of `make chaos` still have something to break?"""

from __future__ import annotations

import ast

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
    for text in code.values():
        ast.parse(text)
