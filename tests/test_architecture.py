"""Is each concept small enough to be found? Which way imports flow stands in pyproject.toml."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("piston", "categories", "tasks_app")

MAX_FILE_LINES = 320  # lines; past 300, look for the second concept inside
MAX_PROSE = 120  # characters of a line of a document


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts and "tests" not in path.parts
)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_no_file_is_long_and_each_says_what_it_answers(path: Path) -> None:
    source = path.read_text()

    assert source.count("\n") <= MAX_FILE_LINES
    assert not source.strip() or ast.get_docstring(ast.parse(source)), "a module docstring"


DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NOT_PROSE = re.compile(
    r"^ *(?P<fence>```+|~~~+).*?^ *(?P=fence) *$"  # a block of code
    r"|^<!-- written by make (?P<by>\w+): begin -->$.*?^<!-- written by make (?P=by): end -->$"
    r"|^\|[^\n]*$",  # a line of a table
    re.DOTALL | re.MULTILINE,
)
LINK = re.compile(r"\[[^\]]*\]\([^)]*\)")


def long_lines(text: str) -> list[str]:
    """Return the lines of prose that are too long; a line with nothing but links may be."""
    prose = NOT_PROSE.sub("", text)
    return [
        line
        for line in prose.splitlines()
        if len(line) > MAX_PROSE and re.search(r"\w", LINK.sub("", line))
    ]


def test_a_long_line_is_found_in_prose_and_nowhere_else() -> None:
    long = "word " * 30
    written = "<!-- written by make bench: begin -->\n{}\n<!-- written by make bench: end -->"
    exempt = [f"```sh\n{long}\n```", f"| {long}|", f"[{long}](page.md) ·", written.format(long)]

    assert long_lines("\n".join([*exempt, "short", f"* {long}"])) == [f"* {long}"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_lines_of_a_document_are_short(path: Path) -> None:
    assert long_lines(path.read_text()) == []


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "misc", "base_manager"])
def test_no_module_has_a_name_that_says_nothing(word: str) -> None:
    assert not [path for path in FILES if path.stem == word]


def test_the_design_names_each_folder_and_module_and_nothing_that_is_gone() -> None:
    design = (ROOT / "docs/design.md").read_text()
    layout = re.findall(r"^## 2\. Layout$.*?^```$(.*?)^```$", design, re.DOTALL | re.MULTILINE)[0]
    named: set[str] = set()
    package = ""
    for line in layout.splitlines():
        names = re.findall(r"(?<!\S)([a-z_]+/|[a-z_]+\.py)(?!\S)", line.split("   ")[0])
        if not line.startswith(" "):
            package = next((name for name in names if name.rstrip("/") in PACKAGES), "")
        elif package:
            named |= {package + name for name in names}
    there = {
        f"{package}/{path.name}{'/' if path.is_dir() else ''}"
        for package in PACKAGES
        for path in (ROOT / package).iterdir()
        if path.suffix == ".py" or ((path / "__init__.py").exists() and path.name != "migrations")
    } - {"categories/management/"}
    modules_of_django = {
        f"{package}/{name}.py" for package in PACKAGES for name in ("__init__", "apps")
    }

    assert sorted(there - named - modules_of_django) == []
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
