"""Columns whose values are JSON documents, and lists of texts."""

from __future__ import annotations

import json
import math
from typing import Any

from categories.columns.base import UNSTORABLE, Column
from categories.columns.texts import name_length
from categories.errors import CellError
from piston.plurals import plural

MAX_DEPTH = 100  # of lists and objects inside of each other


class JSONColumn(Column[Any]):
    """A JSON document."""

    type_name = "json"
    rule = f"a JSON document, nested at most {MAX_DEPTH} deep"
    default_example = "{}"

    def parse(self, text: str) -> Any:
        """Return the decoded document; refuse what JSON has no words for, or no database stores."""
        return read_json(text)

    def format(self, value: Any) -> str:
        """Return compact JSON."""
        return "" if value is None else write_json(value)

    def json_schema(self) -> dict[str, Any]:
        """Return anything: a record may hold the document itself, or its text."""
        return {}


class ListColumn(Column[list[str]]):
    """Several texts: a JSON list, or one text alone."""

    type_name = "list"
    default_example = '["a","b"]'

    def __init__(
        self,
        *texts: str,
        max_count: int | None = None,
        max_length: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*texts, **options)
        self.max_count = max_count
        self.max_length = max_length
        most = "" if max_count is None else f" of at most {max_count:,} {plural('text', max_count)}"
        each = "" if max_length is None else f", each of at most {name_length(max_length)}"
        self.rule = f"a JSON list{most or ' of texts'}{each}; or one text"

    def parse(self, text: str) -> list[str]:
        """Return the texts of a JSON list, or the cell itself as the only text."""
        found = read_json(text) if text.lstrip().startswith("[") else [text]
        if not all(isinstance(entry, str) for entry in found):
            raise CellError(f"not a list of texts: put each in quotes, {self.default_example}")
        refuse_unstorable(found)
        if self.max_count is not None and len(found) > self.max_count:
            raise CellError(f"more than {self.max_count:,} {plural('text', self.max_count)}")
        if self.max_length is not None and len(max(found, key=len, default="")) > self.max_length:
            raise CellError(f"a list with a text longer than {name_length(self.max_length)}")
        return list(found)

    def format(self, value: list[str] | None) -> str:
        """Return the texts as a JSON list."""
        return "" if value is None else write_json(value)

    def json_schema(self) -> dict[str, Any]:
        """Return a list of texts, or a text."""
        entry: dict[str, Any] = {"type": "string"}
        if self.max_length is not None:
            entry["maxLength"] = self.max_length
        most = {} if self.max_count is None else {"maxItems": self.max_count}
        return {"type": ["array", "string"], "items": entry} | most


def read_json(text: str) -> Any:
    """Return a document, or raise CellError for what is no JSON or cannot be stored."""
    try:
        value = DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise CellError(f"not JSON: {error}") from error
    if "\\" in text or UNSTORABLE.search(text) or text.count("[") + text.count("{") > MAX_DEPTH:
        refuse_unstorable(value)
    return value


def write_json(value: Any) -> str:
    """Return compact JSON."""
    return ENCODER.encode(value)


def refuse_constant(word: str) -> None:
    """Refuse NaN and infinity, which Python reads."""
    raise ValueError(f"{word} is not JSON")


def read_float(text: str) -> float:
    """Return a number; refuse one that would be read as infinity."""
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def refuse_unstorable(value: Any, depth: int = MAX_DEPTH) -> None:
    """Raise CellError for a document nested too deep, or with a text that no database stores."""
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise CellError("a text with NUL or half of a surrogate pair: leave that character out")
        return
    if not isinstance(value, dict | list):
        return
    if depth == 0:
        raise CellError(f"JSON nested more than {MAX_DEPTH} deep")
    for each in [*value, *value.values()] if isinstance(value, dict) else value:
        refuse_unstorable(each, depth - 1)


DECODER = json.JSONDecoder(parse_constant=refuse_constant, parse_float=read_float)
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
