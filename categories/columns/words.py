"""Columns whose cells are one of a few words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby, product
from typing import Any

from categories.columns.arguments import require_words
from categories.columns.base import Column, T
from categories.columns.countries import COUNTRIES
from categories.errors import CellError


def spellings(word: str) -> list[str]:
    """Return a word in each mixture of upper and lower case."""
    return list(map("".join, product(*((letter.upper(), letter.lower()) for letter in word))))


def any_case(word: str) -> str:
    """Return a pattern for a word in any case; JSON Schema has no flag for that."""
    return "".join(f"[{letter.upper()}{letter.lower()}]" for letter in word)


class WordsColumn(Column[T]):
    """A cell that is one of `words`; the base of the columns below."""

    words: Mapping[str, T]
    refusal: str  # what is wrong with any other cell

    def parse(self, text: str) -> T:
        """Return the value of the word."""
        if text not in self.words:
            raise CellError(self.refusal)
        return self.words[text]

    def parse_many(self, cells: Sequence[str]) -> list[T | None]:
        """Return the values of a whole column."""
        try:
            return list(map(self.words.__getitem__, cells))
        except KeyError:  # a bad cell, or an unset one
            return super().parse_many(cells)


class ChoiceColumn(WordsColumn[str]):
    """One of a few words, spelled exactly so."""

    type_name = "choice"

    def __init__(self, *texts: str, choices: Sequence[str], **options: Any) -> None:
        require_words("choices", choices)
        if not choices:
            raise ValueError("choices is empty")
        options.setdefault("example", choices[0])
        super().__init__(*texts, **options)
        self.choices = frozenset(choices)
        self.words = {choice: choice for choice in choices}
        self.rule = f"one of {', '.join(choices)}"
        self.refusal = f"not {self.rule}"

    def json_schema(self) -> dict[str, Any]:
        """Return the words."""
        return {"enum": list(dict.fromkeys(self.words.values()))}


class BooleanColumn(WordsColumn[bool]):
    """`true` or `false`, in any case: spreadsheets write `TRUE`."""

    type_name = "boolean"
    rule = "true or false, in upper or lower case"
    refusal = "neither true nor false"
    default_example = "true"
    words = {form: word == "true" for word in ("true", "false") for form in spellings(word)}

    def format(self, value: bool | None) -> str:
        """Return `true` or `false`."""
        return "" if value is None else "true" if value else "false"

    def json_schema(self) -> dict[str, Any]:
        """Return JSON's booleans, and their names."""
        names = "|".join(map(any_case, ("true", "false")))
        return {"type": ["boolean", "string"], "pattern": f"^(?:{names})$"}


class CountryColumn(ChoiceColumn):
    """A country by its ISO 3166-1 alpha-2 code; `also` has further codes, such as `XK`."""

    type_name = "country"
    default_example = "US"

    def __init__(self, *texts: str, also: Collection[str] = (), **options: Any) -> None:
        options.setdefault("example", self.default_example)
        require_words("also", also)
        more = sorted(also)
        super().__init__(*texts, choices=[*COUNTRIES, *more], **options)
        self.words = {form: code for code in self.words for form in spellings(code)}
        self.rule = "an ISO 3166-1 country code of two letters, in upper or lower case"
        if more:
            self.rule += f", or {', '.join(more)}"
        self.refusal = f"not {self.rule}, such as {self.default_example}"

    def json_schema(self) -> dict[str, Any]:
        """Return a pattern of all codes, by their first letters."""
        by_first = groupby(sorted(set(self.words.values())), key=lambda code: code[0])
        groups = (
            f"{any_case(first)}[{''.join(code[1:] + code[1:].lower() for code in codes)}]"
            for first, codes in by_first
        )
        return {"type": "string", "pattern": f"^(?:{'|'.join(groups)})$"}
