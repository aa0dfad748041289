"""The columns of a rate: the 20 of an export and its `_id`, which all actions accept."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, Func, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, NullIf, Replace

from categories.columns import (
    BLANKS,
    AccountColumn,
    ChoiceColumn,
    Column,
    CountryColumn,
    DecimalColumn,
    IntegerColumn,
    ListColumn,
    PatternColumn,
    TextColumn,
)
from categories.columns.words import any_case
from categories.database.copy_out import sql_text
from categories.errors import CellError
from categories.rates.filling import limit_weight, make_caller_patterns
from categories.rates.models.rate import (
    COST_DIGITS,
    COST_PLACES,
    MORE_COUNTRIES,
    PREFIX_LENGTH,
    RATE_ID_LENGTH,
    TEXT_LENGTH,
    Direction,
    format_cost,
)
from categories.rates.models.ratedeck import NAME_LENGTH

MAX_SECONDS = 2**31 - 1  # the maximum of the database's integer
DEFAULT_RATEDECK = "ratedeck"


class CostColumn(DecimalColumn):
    """An amount of money that is not negative, exact to 10 decimals."""

    def __init__(self, *texts: str, **options: Any) -> None:
        super().__init__(
            *texts, max_digits=COST_DIGITS, decimal_places=COST_PLACES, minimum=0, **options
        )

    def format(self, value: Decimal | None) -> str:
        """Return the amount without the zeros that a database adds."""
        return format_cost(value)


class PrefixColumn(PatternColumn):
    """The first digits of the numbers of a rate."""

    type_name = "prefix"
    rule = f"1 to {PREFIX_LENGTH} digits, the first not 0; a leading + is dropped"
    default_example = "1415"
    pattern = rf"\+?[1-9][0-9]{{0,{PREFIX_LENGTH - 1}}}"

    def parse(self, text: str) -> str:
        """Return the digits."""
        if self._one.fullmatch(text) is None:
            raise CellError(explain_bad_prefix(text))
        return text.removeprefix("+")

    def parse_many(self, cells: Sequence[str]) -> list[str | None]:
        """Return the digits of a whole column."""
        return [cell and cell.removeprefix("+") for cell in super().parse_many(cells)]

    def json_schema(self) -> dict[str, Any]:
        """Return texts of digits, and JSON's whole numbers."""
        number = {"type": "integer", "minimum": 1, "maximum": 10**PREFIX_LENGTH - 1}
        return {"anyOf": [super().json_schema(), number]}


# what people's files have in place of a prefix; the first pattern that fits says why it is bad
BAD_PREFIXES: tuple[tuple[str, str], ...] = (
    (r"\+?00[0-9]*", "00 is dialled before a number and is not part of it: leave it out"),
    (r"\+?011[0-9]*", "011 is dialled before a number and is not part of it: leave it out"),
    (r"\+?0[0-9]*", "no number begins with 0: write the country's code first"),
    (r"\+?[0-9]{16,}", f"more than {PREFIX_LENGTH} digits"),
    (
        r"\+?[0-9]+\.[0-9]*|\+?[0-9.]+[eE]\+?[0-9]+",
        "a spreadsheet wrote it as a number, and may have lost digits: format the column as text",
    ),
    (
        r"[+0-9]+(?:\s*[-\u2013,;:|/]\s*[+0-9]+)+",
        "a list, a range or separators: write the digits of one prefix in each row",
    ),
    (r"[+0-9]*\s[+0-9\s]*", "it has blanks: write only the digits"),
)


def explain_bad_prefix(text: str) -> str:
    """Return why a cell is not a prefix."""
    for pattern, why in BAD_PREFIXES:
        if re.fullmatch(pattern, text):
            return why
    return f"not 1 to {PREFIX_LENGTH} digits"


class PriceListCountryColumn(CountryColumn):
    """A country of a price list, which may have blanks around it."""

    def parse(self, text: str) -> str:
        """Return the code in upper case."""
        return super().parse(text.strip(BLANKS))


class WholeColumn(IntegerColumn):
    """A whole number, also as a spreadsheet writes it: `6.0`."""

    def parse(self, text: str) -> int:
        """Return the number."""
        return super().parse(re.sub(r"(?<=[0-9])\.0+\Z", "", text))


class SecondsColumn(WholeColumn):
    """A number of whole seconds."""

    def __init__(self, *texts: str, **options: Any) -> None:
        super().__init__(*texts, minimum=0, maximum=MAX_SECONDS, **options)

    def parse(self, text: str) -> int:
        """Return the seconds."""
        if re.fullmatch(r"[0-9]+(?:/[0-9]+)+", text):
            raise CellError(
                "several numbers: write the first one into rate_minimum, the last one into"
                " rate_increment"
            )
        return super().parse(text)


class WeightColumn(WholeColumn):
    """The weight of a rate; a value outside of 1 to 100 becomes the nearer limit."""

    rule = "a whole number; limited to 1 to 100"

    def parse(self, text: str) -> int:
        """Return the weight within its limits."""
        return limit_weight(super().parse(text))


class DirectionColumn(ChoiceColumn):
    """The direction of calls, in any case. A list of both directions is BOTH, not unset."""

    BOTH = ""
    shares_values = True

    def __init__(self, *texts: str, **options: Any) -> None:
        super().__init__(*texts, choices=Direction.values, **options)
        self.rule = f"{' or '.join(Direction.values)}, in any case; a JSON list of both is both"
        self.refusal = f"not {self.rule}"

    def parse(self, text: str) -> str:
        """Return the direction in lower case."""
        words = set(self._read_words(text.strip(BLANKS).lower()))
        if words == self.choices:
            return self.BOTH
        return super().parse(words.pop() if len(words) == 1 else text)

    def json_schema(self) -> dict[str, Any]:
        """Return the words in any case, and a list of them."""
        words = "|".join(map(any_case, Direction.values))
        word = {"type": "string", "pattern": f"^(?:{words})$"}
        return {"anyOf": [word, {"type": "array", "items": word, "minItems": 1}]}

    def _read_words(self, text: str) -> list[str]:
        try:
            words = json.loads(text)
        except (ValueError, RecursionError):
            return [text]
        is_list = isinstance(words, list) and all(isinstance(word, str) for word in words)
        return words if is_list else [text]


class TextListColumn(ListColumn):
    """Several texts, or a pattern of numbers. A list without any text, and `""`, are None."""

    def parse(self, text: str) -> list[str] | None:  # type: ignore[override]
        """Return the texts of a JSON list, or the cell itself as the only text."""
        if text == '""':
            return None
        texts = [text] if is_pattern(text) else super().parse(text)
        return texts if any(texts) else None

    def format(self, value: list[str] | None) -> str:
        """Return the texts as a JSON list; without texts, an empty cell."""
        return super().format(value or None)


def is_pattern(text: str) -> bool:
    """Tell whether a cell begins like a list and is none: [2-9]11."""
    if text.startswith("["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return True
    return False


class CallersColumn(TextColumn):
    """The numbers of callers, or patterns of them, joined by colons."""

    rule = "numbers or patterns, joined by colons"
    default_example = "441:442"

    def parse(self, text: str) -> str:
        """Return the patterns of the callers."""
        return super().parse(make_caller_patterns(text))


@sql_text.register
def _(_column: CostColumn, value: Combinable) -> Combinable:
    return Func(value, function="trim_scale", output_field=DecimalField())


@sql_text.register
def _(_column: TextListColumn, value: Combinable) -> Combinable:
    # PostgreSQL writes ["a", "b"]; a quote inside a text has a backslash before it
    written = Replace(Cast(value, TextField()), Value('", "'), Value('","'))
    return NullIf(written, Value("[]"), output_field=TextField())


RATE_COLUMNS: tuple[Column[Any], ...] = (
    AccountColumn("account_id", "Account that the rate is meant for; empty: all accounts."),
    CallersColumn("caller_id_numbers", "Callers that the rate is for.", max_length=4096),
    TextColumn("carrier", "Who carries the calls.", max_length=TEXT_LENGTH, example="acme"),
    TextColumn("description", "For people.", max_length=1024, example="Bay Area"),
    DirectionColumn("direction", "Calls that the rate is for; empty: both."),
    CostColumn("internal_rate_cost", "What a minute costs the reseller.", example="0.01"),
    PriceListCountryColumn("iso_country_code", "Country of the prefix.", also=MORE_COUNTRIES),
    TextListColumn("options", "Options that a call must have.", example='["flat_rate"]'),
    PrefixColumn("prefix", "What the numbers begin with."),
    CostColumn("rate_cost", "What a minute costs.", example="0.05"),
    SecondsColumn("rate_increment", "Seconds that are charged at a time.", example="60"),
    SecondsColumn("rate_minimum", "Seconds that are charged at least.", example="60"),
    TextColumn(
        "rate_name", "Name; empty: made from the rate.", max_length=TEXT_LENGTH, example="US_1415"
    ),
    SecondsColumn("rate_nocharge_time", "Calls of fewer seconds are free.", example="0"),
    TextColumn(
        "rate_suffix",
        "Ends the id, to tell rates of one prefix apart.",
        max_length=64,
        example="night",
    ),
    CostColumn("rate_surcharge", "What being connected costs.", example="0"),
    TextColumn("rate_version", "Version, for people.", max_length=TEXT_LENGTH, example="2024-03"),
    TextColumn(
        "ratedeck_id",
        f"Name of the ratedeck; empty: {DEFAULT_RATEDECK}. Created when it is missing.",
        max_length=NAME_LENGTH,
        example=DEFAULT_RATEDECK,
    ),
    TextListColumn(
        "routes", "Patterns of numbers; empty: made from the prefix.", example=r'["^\\+?1415.+$"]'
    ),
    WeightColumn("weight", "Weight, the heavier first; empty: made from the rate.", example="35"),
)
COLUMNS = {column.name: column for column in RATE_COLUMNS}

ID_COLUMN = TextColumn(
    "_id", "Id of the rate; empty: made.", max_length=RATE_ID_LENGTH, example="US-1415"
)
# beside the 20, in the files that other systems and our own export write
IDENTIFYING_COLUMNS: tuple[Column[Any], ...] = (
    ID_COLUMN,
    TextColumn("pvt_type", "Accepted, because exports of other systems have it; ignored."),
)
