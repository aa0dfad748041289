"""What do the examples of the specification say? Its text, read as calls and bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.acceptance.installation import ROOT

SPECIFICATION = ROOT / "docs" / "spec" / "tasks-api.txt"
CALL = re.compile(r"(GET|PUT|PATCH|DELETE) /v2/\S+")
PLACEHOLDER = re.compile(r"\{([A-Z_]+)\}")
TASK_ID = re.compile(r"[0-9a-f]{30}")
NODE = re.compile(r"\w+@\S+")
YEAR_2000 = 63_113_904_000  # Gregorian seconds; what is larger is a time, not a count


@dataclass(frozen=True)
class Example:
    """One body: under which call and which words it stands, and what it says."""

    call: str
    label: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """Return what identifies it."""
        return f"{self.call}: {self.label}"


def read_examples() -> Iterator[Example]:
    """Yield the JSON bodies of the specification, in order."""
    lines = SPECIFICATION.read_text().splitlines()
    call = label = ""
    block: list[str] = []
    for line in lines:
        if block or line == "{":
            block.append(line)
            if line == "}":
                yield Example(call, label, json.loads("\n".join(block)))
                block = []
        elif CALL.fullmatch(line):
            call = label = line
        elif line and not line.startswith((" ", "curl")):
            label = line


def assert_says(said: Any, example: Any, names: Mapping[str, Any], path: str = "") -> None:
    """Check that an answer says what an example says: keys, nesting, types and strings.

    More keys are allowed, never fewer. `names` are the values of placeholders, and of counts that
    differ (`success_count`); other placeholders stand for any text, times for any time.
    """
    if isinstance(example, dict):
        assert isinstance(said, dict), f"{path} is {said!r}"
        for key, value in example.items():
            assert key in said, f"{path}.{key} is missing"
            assert_says(said[key], names.get(key, value), names, f"{path}.{key}")
    elif path.endswith(".csvs"):
        assert isinstance(said, list)
        assert all(isinstance(name, str) for name in said)
    elif isinstance(example, list):
        assert isinstance(said, list), f"{path} is {said!r}"
        assert len(said) == len(example), f"{path} is {said!r}"
        for index, (one, value) in enumerate(zip(said, example, strict=True)):
            assert_says(one, value, names, f"{path}[{index}]")
    elif isinstance(example, str):
        assert_says_text(said, example, names, path)
    elif example > YEAR_2000:
        assert type(said) is int, f"{path} is {said!r}"
        assert said > YEAR_2000
    else:
        assert (type(said), said) == (type(example), example), f"{path} is {said!r}"


def assert_says_text(said: Any, example: str, names: Mapping[str, Any], path: str) -> None:
    """Check one text of an answer; see `assert_says`."""
    placeholder = PLACEHOLDER.fullmatch(example)
    if placeholder and placeholder[1] in names:
        assert said == names[placeholder[1]], f"{path} is {said!r}"
        return
    assert isinstance(said, str), f"{path} is {said!r}"
    if placeholder:
        assert said, f"{path} is empty"
    elif TASK_ID.fullmatch(example):
        assert TASK_ID.fullmatch(said), f"{path} is {said!r}"
    elif NODE.fullmatch(example):
        assert NODE.fullmatch(said), f"{path} is {said!r}"
    else:
        assert said == example, f"{path} is {said!r}"
