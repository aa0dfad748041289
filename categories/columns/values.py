"""Columns whose values are numbers, booleans, JSON or moments."""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from categories.columns.base import Column, T
from categories.errors import CellError
from piston.gregorian import from_gregorian, to_gregorian
from piston.plurals import plural


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
