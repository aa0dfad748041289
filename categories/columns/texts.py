"""Columns whose values are texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email

from categories.columns.base import BLANKS, UNSTORABLE, Column
from categories.columns.matching import all_match, compile_many
from categories.errors import CellError
from piston.plurals import plural

MAX_EMAIL_LENGTH = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets
MAX_URL_LENGTH = 2_048


class TextColumn(Column[str]):
    """Any text, of at least `min_length` and at most `max_length` characters if these are given."""

    def __init__(
        self,
        *texts: str,
        min_length: int | None = None,
        max_length: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*texts, **options)
        self.min_length = min_length
        self.max_length = max_length
        what = "text" if self.rule == Column.rule else f"{self.rule},"
        if min_length is not None and max_length is not None:
            self.rule = f"{what} of {min_length:,} to {name_length(max_length)}"
        elif max_length is not None:
            self.rule = f"{what} of at most {name_length(max_length)}"
        elif min_length is not None:
            self.rule = f"{what} of at least {name_length(min_length)}"

    def parse(self, text: str) -> str:
        """Return the text as it is."""
        if self.max_length is not None and len(text) > self.max_length:
            raise CellError(f"longer than {name_length(self.max_length)}")
        if self.min_length is not None and len(text) < self.min_length:
            raise CellError(f"shorter than {name_length(self.min_length)}")
        return text

    def parse_many(self, cells: Sequence[str]) -> list[str | None]:
        """Return the texts; measure only the longest and the shortest one."""
        texts: list[str | None] = list(cells)
        if not all(map(str.strip, cells)):  # all set is the usual case, in half the time
            texts = [cell if cell.strip(BLANKS) else None for cell in cells]
        if self.min_length is not None or self.max_length is not None:
            lengths = {len(text): text for text in texts if text is not None}
            for length in {min(lengths), max(lengths)} if lengths else ():
                self.parse(lengths[length])
        return texts

    def json_schema(self) -> dict[str, Any]:
        """Return a text with its limits."""
        limits = {"minLength": self.min_length, "maxLength": self.max_length}
        given = {word: limit for word, limit in limits.items() if limit is not None}
        return super().json_schema() | given


def name_length(length: int) -> str:
    """Return "1 character" or "1,000 characters"."""
    return f"{length:,} {plural('character', length)}"


class PatternColumn(Column[str]):
    """A text that matches a regular expression as a whole.

    `pattern` and `rule` (the pattern in words) are given to the constructor, or set by a subclass,
    as by E164Column and AccountColumn.
    """

    type_name = "pattern"
    pattern: str

    def __init__(
        self, *texts: str, pattern: str | None = None, rule: str | None = None, **options: Any
    ) -> None:
        super().__init__(*texts, **options)
        if pattern is not None:
            self.pattern, self.rule = pattern, f"a text that matches {pattern}"
        if rule is not None:
            self.rule = rule
        if not hasattr(self, "pattern"):
            raise TypeError("pattern is missing")
        try:
            self._one = re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"the pattern {self.pattern!r} is wrong: {error}") from error
        self._many = compile_many(self.pattern)

    def parse(self, text: str) -> str:
        """Return the text if all of it matches."""
        if self._one.fullmatch(text) is None:
            raise CellError(f"not {self.rule}{self._such_as()}")
        return text

    def parse_many(self, cells: Sequence[str]) -> list[str | None]:
        """Return the texts; match the whole column at once if the pattern allows it."""
        if self._many and all_match(self._many, cells):
            return list(cells)
        return super().parse_many(cells)

    def _such_as(self) -> str:
        return f", such as {self.example}" if self.example else ""

    def json_schema(self) -> dict[str, Any]:
        """Return a text that matches."""
        return super().json_schema() | {"pattern": f"^(?:{self.pattern})$"}


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


class EmailColumn(TextColumn):
    """An e-mail address, as it was written."""

    type_name = "email"
    rule = "an e-mail address"
    default_example = "ann@example.com"

    def __init__(self, *texts: str, max_length: int = MAX_EMAIL_LENGTH, **options: Any) -> None:
        super().__init__(*texts, max_length=max_length, **options)

    def parse(self, text: str) -> str:
        """Return the address."""
        super().parse(text)
        try:
            validate_email(text)
        except ValidationError as error:
            raise CellError("not an e-mail address: write it such as ann@example.com") from error
        refuse_unstorable(text)
        return text

    def json_schema(self) -> dict[str, Any]:
        """Return a text in the format of an address."""
        return super().json_schema() | {"format": "email"}


class URLColumn(TextColumn):
    """The address of a page. User names and passwords are refused: files show them to many."""

    type_name = "url"
    rule = "a URL that begins with http:// or https:// and has no user name or password"
    default_example = "https://example.com/path"

    def __init__(self, *texts: str, max_length: int = MAX_URL_LENGTH, **options: Any) -> None:
        super().__init__(*texts, max_length=max_length, **options)

    def parse(self, text: str) -> str:
        """Return the URL."""
        super().parse(text)
        try:
            is_url(text)
            has_credentials = "@" in urlsplit(text).netloc
        except (ValidationError, ValueError) as error:
            sentence = "not a URL: write it with http:// or https://, such as"
            raise CellError(f"{sentence} {self.default_example}") from error
        if has_credentials:
            raise CellError("a URL with a user name: write it without the part before the @")
        refuse_unstorable(text)
        return text

    def json_schema(self) -> dict[str, Any]:
        """Return a text in the format of a URL."""
        return super().json_schema() | {"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}


is_url = URLValidator(schemes=["http", "https"])


def refuse_unstorable(text: str) -> None:
    """Raise CellError for a text that the database cannot store."""
    if UNSTORABLE.search(text):
        raise CellError("a text with NUL or half of a surrogate pair: leave that character out")
