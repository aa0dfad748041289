"""Columns whose values are texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from categories.columns.base import BLANKS, Column
from categories.errors import CellError
from piston.plurals import plural


class TextColumn(Column[str]):
    """Any text, of at most `max_length` characters if that is given."""

    def __init__(self, *texts: str, max_length: int | None = None, **options: Any) -> None:
        super().__init__(*texts, **options)
        self.max_length = max_length
        if max_length is not None:
            self.rule = f"text of at most {max_length:,} {plural('character', max_length)}"

    def parse(self, text: str) -> str:
        """Return the text as it is."""
        if self.max_length is not None and len(text) > self.max_length:
            most = f"{self.max_length:,} {plural('character', self.max_length)}"
            raise CellError(f"longer than {most}")
        return text

    def parse_many(self, cells: Sequence[str]) -> list[str | None]:
        """Return the texts; measure only the longest one."""
        if self.max_length is not None:
            self.parse(max(cells, key=len, default=""))
        if all(map(str.strip, cells)):  # the usual case, in half the time
            return list(cells)
        return [cell if cell.strip(BLANKS) else None for cell in cells]


class PatternColumn(Column[str]):
    """A text that matches a pattern without line breaks; the base of E164Column and AccountColumn.

    One call matches a whole column, its cells joined by line breaks. If a cell holds a line break,
    the count of line breaks shows it, and each cell is matched alone.
    """

    pattern: ClassVar[str]
    _one: ClassVar[re.Pattern[str]]
    _many: ClassVar[re.Pattern[str]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._one = re.compile(cls.pattern)
        cls._many = re.compile(f"(?:(?:{cls.pattern})\n)*+")

    def parse(self, text: str) -> str:
        """Return the text if all of it matches."""
        if self._one.fullmatch(text) is None:
            raise CellError(f"not {self.rule}")
        return text

    def parse_many(self, cells: Sequence[str]) -> list[str | None]:
        """Return the texts after one match of the whole column."""
        joined = "\n".join(cells) + "\n"
        if joined.count("\n") == len(cells) and self._many.fullmatch(joined):
            return list(cells)
        return super().parse_many(cells)


class E164Column(PatternColumn):
    """A telephone number in E.164 format."""

    type_name = "e164"
    rule = "E.164: + and 2 to 15 digits, the first not 0"
    default_example = "+14157215234"
    pattern = r"\+[1-9][0-9]{1,14}"


class AccountColumn(PatternColumn):
    """The id of an account; the action checks whether the account exists."""

    type_name = "account"
    rule = "an account id: 32 lower-case hex characters"
    default_example = "009afc511c97b2ae693c6cc4920988e8"
    pattern = r"[0-9a-f]{32}"


class ChoiceColumn(Column[str]):
    """One of a few words."""

    type_name = "choice"

    def __init__(self, *texts: str, choices: Sequence[str], **options: Any) -> None:
        options.setdefault("example", choices[0])
        super().__init__(*texts, **options)
        self.choices = frozenset(choices)
        self.rule = f"one of {', '.join(choices)}"

    def parse(self, text: str) -> str:
        """Return the word."""
        if text not in self.choices:
            raise CellError(f"not {self.rule}")
        return text
