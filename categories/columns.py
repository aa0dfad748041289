"""The types of columns: each parses, validates, formats and describes its cells."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Generic, Self, TypeVar

from categories.errors import CellError
from categories.locations import Location, find_location
from piston.gregorian import from_gregorian, to_gregorian
from piston.plurals import plural

T = TypeVar("T")

BLANKS = " \t"  # a cell with only these is unset


def is_unset(cell: str) -> bool:
    """Say whether the cell holds no value: it is empty, or has only spaces and tabs."""
    return not cell.strip(BLANKS)


class Column(Generic[T]):
    """One column of an action, as input or as output.

    A single text is the help; the column then takes the attribute's name. Two texts are the
    column's name, such as `"cnam.inbound"`, and its help.
    """

    type_name: ClassVar[str] = "text"
    rule: str = "any text"
    default_example: ClassVar[str] = "text"

    def __init__(
        self,
        first: str,
        second: str | None = None,
        /,
        *,
        name: str = "",
        mandatory: bool = False,
        example: str | None = None,
    ) -> None:
        self.name, self.help = (name, first) if second is None else (first, second)
        self.mandatory = mandatory
        self.example = self.default_example if example is None else example
        self.attribute = self.name.replace(".", "_")
        self.location: Location = find_location()

    def __set_name__(self, owner: type, attribute: str) -> None:
        """Name the column after the attribute, unless a name was given."""
        self.attribute = attribute
        self.name = self.name or attribute

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def but(self, **changes: Any) -> Self:
        """Return a copy with other attributes: `column.but(mandatory=True)`."""
        changed = copy.copy(self)
        vars(changed).update(changes)
        return changed

    def parse(self, text: str) -> T:
        """Return the value of a set cell, or raise CellError with the reason."""
        raise NotImplementedError

    def parse_many(self, cells: Sequence[str]) -> list[T | None]:
        """Return the values of a whole column, None for unset cells, or raise CellError."""
        parse = self.parse
        return [parse(cell) if cell.strip(BLANKS) else None for cell in cells]

    def format(self, value: T | None) -> str:
        """Return the cell's text; None becomes the empty cell."""
        return "" if value is None else str(value)

    def describe(self) -> dict[str, Any]:
        """Return the column's description in `GET /v2/tasks`."""
        return {
            "name": self.name,
            "type": self.type_name,
            "rule": self.rule,
            "help": self.help,
            "example": self.example,
            "mandatory": self.mandatory,
        }


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


class BoundedColumn(Column[T]):
    """A number that may have a smallest and a largest value."""

    def __init__(
        self, *texts: str, minimum: Any = None, maximum: Any = None, **options: Any
    ) -> None:
        super().__init__(*texts, **options)
        self.minimum = minimum
        self.maximum = maximum
        if minimum is not None:
            self.rule += f", at least {minimum}"
        if maximum is not None:
            self.rule += f", at most {maximum}"

    def check_bounds(self, value: Any) -> None:
        """Raise CellError for a value that is too small or too large."""
        if self.minimum is not None and value < self.minimum:
            raise CellError(f"less than {self.minimum}")
        if self.maximum is not None and value > self.maximum:
            raise CellError(f"more than {self.maximum}")


class IntegerColumn(BoundedColumn[int]):
    """A whole number that a 64-bit database column can hold."""

    type_name = "integer"
    rule = "a whole number"
    default_example = "1"

    def parse(self, text: str) -> int:
        """Return the number; refuse spaces, a leading + and separators."""
        if re.fullmatch(r"-?[0-9]{1,18}", text) is None:
            raise CellError("not a whole number of at most 18 digits")
        value = int(text)
        self.check_bounds(value)
        return value


class DecimalColumn(BoundedColumn[Decimal]):
    """An exact decimal number, such as money."""

    type_name = "decimal"
    rule = "a decimal number with a point"
    default_example = "0.01"

    def __init__(
        self, *texts: str, max_digits: int = 18, decimal_places: int = 8, **options: Any
    ) -> None:
        super().__init__(*texts, **options)
        self.whole_digits = max_digits - decimal_places
        self.decimal_places = decimal_places

    def parse(self, text: str) -> Decimal:
        """Return the number exactly as written; refuse exponents, NaN and infinity."""
        match = re.fullmatch(r"-?0*([0-9]+?)(?:\.([0-9]+))?", text)
        if match is None:
            raise CellError("not a decimal number")
        whole, places = match[1], match[2] or ""
        if len(whole) > self.whole_digits or len(places) > self.decimal_places:
            raise CellError(
                f"more than {self.whole_digits} {plural('digit', self.whole_digits)} before"
                f" or {self.decimal_places} after the point"
            )
        value = Decimal(text)
        self.check_bounds(value)
        return value

    def format(self, value: Decimal | None) -> str:
        """Return the number without an exponent."""
        return "" if value is None else f"{value:f}"


class BooleanColumn(Column[bool]):
    """Exactly `true` or `false`."""

    type_name = "boolean"
    rule = "true or false"
    default_example = "true"

    def parse(self, text: str) -> bool:
        """Return the truth value."""
        if text not in {"true", "false"}:
            raise CellError("neither true nor false")
        return text == "true"

    def format(self, value: bool | None) -> str:
        """Return `true` or `false`."""
        return "" if value is None else "true" if value else "false"


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


class JSONColumn(Column[Any]):
    """A JSON document."""

    type_name = "json"
    rule = "a JSON document"
    default_example = "{}"

    def parse(self, text: str) -> Any:
        """Return the decoded document; refuse NaN and infinity."""
        try:
            return json.loads(text, parse_constant=self._refuse_constant)
        except (ValueError, RecursionError) as error:
            raise CellError(f"not JSON: {error}") from error

    @staticmethod
    def _refuse_constant(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    def format(self, value: Any) -> str:
        """Return compact JSON."""
        if value is None:
            return ""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class DateTimeColumn(Column[datetime]):
    """A moment in Gregorian seconds, like all times in the API."""

    type_name = "timestamp"
    rule = "Gregorian seconds: whole seconds since year 0, UTC"
    default_example = "63632526992"

    def parse(self, text: str) -> datetime:
        """Return the moment."""
        if re.fullmatch(r"[0-9]{1,12}", text) is None:
            raise CellError("not Gregorian seconds")
        try:
            return from_gregorian(int(text))
        except OverflowError as error:
            raise CellError("outside of the calendar") from error

    def format(self, value: datetime | None) -> str:
        """Return the whole seconds since year 0."""
        return "" if value is None else str(to_gregorian(value))
