"""Columns whose values are numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any

from categories.columns.base import Column, T
from categories.columns.matching import all_match, compile_many
from categories.errors import CellError
from piston.plurals import plural

MAX_INTEGER_DIGITS = 18  # a 64-bit database column holds any number of so many digits
INTEGER = rf"-?[0-9]{{1,{MAX_INTEGER_DIGITS}}}"
ONE_INTEGER = re.compile(INTEGER)
INTEGERS = compile_many(INTEGER)
DECIMAL = re.compile(r"-?(?=\.?[0-9])0*+([0-9]*+)(?:\.([0-9]*+))?([eE][+-]?0*+[0-9]{1,4})?")
DECIMAL_IN_SCHEMA = r"^-?(?=\.?[0-9])[0-9]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?$"
EXACT = Context(prec=100_000)  # digits: more than any cell that DecimalColumn accepts
SEPARATORS = re.compile("[0-9][,'\u2019_ ][0-9]")


class BoundedColumn(Column[T]):
    """A number that may have a smallest and a largest value."""

    shares_values = True

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

    def bounds_in_schema(self) -> dict[str, Any]:
        """Return the bounds of JSON's numbers; those of texts, JSON Schema cannot say."""
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        return {
            word: int(bound) if bound == int(bound) else float(bound)
            for word, bound in bounds.items()
            if bound is not None
        }


class IntegerColumn(BoundedColumn[int]):
    """A whole number that a 64-bit database column can hold."""

    type_name = "integer"
    rule = f"a whole number of at most {MAX_INTEGER_DIGITS} digits"
    default_example = "1"

    def parse(self, text: str) -> int:
        """Return the number; refuse spaces, a leading +, a point and separators."""
        if ONE_INTEGER.fullmatch(text) is None:
            raise CellError(self._explain(text))
        value = int(text)
        self.check_bounds(value)
        return value

    def parse_many(self, cells: Sequence[str]) -> list[int | None]:
        """Return the numbers; match the whole column at once."""
        if not (INTEGERS and cells and all_match(INTEGERS, cells)):
            return super().parse_many(cells)
        values = list(map(int, cells))
        if self.minimum is not None or self.maximum is not None:
            self.check_bounds(min(values))
            self.check_bounds(max(values))
        return list(values)

    def _explain(self, text: str) -> str:
        if re.fullmatch(r"-?[0-9]++", text):
            return f"a number of more than {MAX_INTEGER_DIGITS} digits"
        if re.fullmatch(r"[+-]?[0-9]++\.0*+", text):
            return "not a whole number: write it without the point, such as 1 rather than 1.0"
        return f"not a whole number{explain_digits(text, '1000')}"

    def json_schema(self) -> dict[str, Any]:
        """Return JSON's whole numbers, and texts of digits."""
        pattern = {"type": ["integer", "string"], "pattern": f"^{INTEGER}$"}
        return pattern | self.bounds_in_schema()


class DecimalColumn(BoundedColumn[Decimal]):
    """An exact decimal number."""

    type_name = "decimal"
    rule = "a decimal number"
    default_example = "0.01"

    def __init__(
        self, *texts: str, max_digits: int = 18, decimal_places: int = 8, **options: Any
    ) -> None:
        self.whole_digits = max_digits - decimal_places
        self.decimal_places = decimal_places
        before = f"{self.whole_digits} {plural('digit', self.whole_digits)} before"
        self.rule = f"{self.rule} of at most {before} and {decimal_places} after the point"
        super().__init__(*texts, **options)

    def parse(self, text: str) -> Decimal:
        """Return the number exactly as written; refuse NaN, infinity and separators.

        An exponent is read: JSON and spreadsheets write small numbers with one.
        """
        match = DECIMAL.fullmatch(text)
        if match is None:
            raise CellError(f"not a decimal number{explain_digits(text, '1234.56')}")
        whole, places, exponent = match.groups()
        if exponent is None:
            self._check_digits(len(whole), len(places or ""))
            value = Decimal(text)
        else:
            value = Decimal(text)
            self._check_digits(
                value.adjusted() + 1 if value else 0, -int(value.as_tuple().exponent)
            )
        self.check_bounds(value)
        return value

    def _check_digits(self, whole_digits: int, places: int) -> None:
        if whole_digits > self.whole_digits or places > self.decimal_places:
            raise CellError(
                f"more than {self.whole_digits} {plural('digit', self.whole_digits)} before"
                f" or {self.decimal_places} after the point"
            )

    def format(self, value: Decimal | None) -> str:
        """Return the number without an exponent."""
        if value is None:
            return ""
        return f"{value if isinstance(value, Decimal) else Decimal(value):f}"

    def json_schema(self) -> dict[str, Any]:
        """Return JSON's numbers, and texts of digits."""
        pattern = {"type": ["number", "string"], "pattern": DECIMAL_IN_SCHEMA}
        return pattern | self.bounds_in_schema()


class MoneyColumn(DecimalColumn):
    """An amount of money, always with all its decimal places: `0.5` is written as `0.50`."""

    type_name = "money"
    rule = "an amount"
    default_example = "0.50"

    def __init__(self, *texts: str, places: int = 2, **options: Any) -> None:
        self.step = Decimal(1).scaleb(-places)
        super().__init__(*texts, decimal_places=places, **options)

    def parse(self, text: str) -> Decimal:
        """Return the amount with all its places."""
        return super().parse(text).quantize(self.step, context=EXACT)

    def format(self, value: Decimal | None) -> str:
        """Return the amount with all its places, and more only if it is not zero there."""
        if value is None:
            return ""
        rounded = Decimal(value).quantize(self.step, context=EXACT)
        return super().format(rounded if rounded == value else value)


def explain_digits(text: str, example: str) -> str:
    """Return what to write instead of a text that is no number."""
    if text.strip() != text:
        return ": write it without spaces around it"
    if "," in text or SEPARATORS.search(text):
        return f": write no separators of thousands, and a point before decimals, such as {example}"
    if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return ": NaN and infinity are not accepted"
    return f": write digits and nothing else, such as {example}"
