from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from phonenumbers import SUPPORTED_REGIONS

from categories.columns import (
    AccountColumn,
    BooleanColumn,
    ChoiceColumn,
    Column,
    CountryColumn,
    DateColumn,
    DateTimeColumn,
    DecimalColumn,
    DurationColumn,
    E164Column,
    EmailColumn,
    IntegerColumn,
    JSONColumn,
    ListColumn,
    MomentColumn,
    MoneyColumn,
    PatternColumn,
    TextColumn,
    URLColumn,
    is_unset,
)
from categories.columns.countries import COUNTRIES
from categories.errors import CellError

ACCOUNT_ID = "009afc511c97b2ae693c6cc4920988e8"

CEST = timezone(timedelta(hours=2))

GOOD: list[tuple[Column[Any], str, Any]] = [
    (TextColumn("Help."), " kept as it is ", " kept as it is "),
    (TextColumn("Help.", max_length=3), "äöü", "äöü"),
    (E164Column("Help."), "+14157215234", "+14157215234"),
    (E164Column("Help."), "+12", "+12"),
    (E164Column("Help."), "+123456789012345", "+123456789012345"),
    (AccountColumn("Help."), ACCOUNT_ID, ACCOUNT_ID),
    (IntegerColumn("Help."), "-12", -12),
    (IntegerColumn("Help."), "007", 7),
    (IntegerColumn("Help.", minimum=1, maximum=3), "3", 3),
    (DecimalColumn("Help."), "0.10", Decimal("0.10")),
    (DecimalColumn("Help."), "00012.5", Decimal("12.5")),
    (BooleanColumn("Help."), "true", True),
    (BooleanColumn("Help."), "false", False),
    (ChoiceColumn("Help.", choices=["a", "b"]), "b", "b"),
    (JSONColumn("Help."), '{"a": [1, null]}', {"a": [1, None]}),
    (DateTimeColumn("Help."), "63632526992", datetime(2016, 6, 7, 13, 56, 32, tzinfo=UTC)),
    (TextColumn("Help.", min_length=2), "ab", "ab"),
    (PatternColumn("Help.", pattern="[A-Z]{2}-[0-9]+", example="AB-1"), "XY-007", "XY-007"),
    (DecimalColumn("Help."), "1E-2", Decimal("0.01")),
    (DecimalColumn("Help."), "5e3", Decimal(5000)),
    (DecimalColumn("Help."), "0e9999", Decimal(0)),
    (DecimalColumn("Help."), "1.5e-00007", Decimal("0.00000015")),
    (DecimalColumn("Help."), ".05", Decimal("0.05")),
    (DecimalColumn("Help."), "-5.", Decimal(-5)),
    (MoneyColumn("Help."), "0.5", Decimal("0.50")),
    (MoneyColumn("Help.", places=0), "12", Decimal(12)),
    (BooleanColumn("Help."), "TRUE", True),
    (BooleanColumn("Help."), "False", False),
    (CountryColumn("Help."), "us", "US"),
    (CountryColumn("Help.", also=["XK"]), "xK", "XK"),
    (DateColumn("Help."), "2024-02-29", date(2024, 2, 29)),
    (MomentColumn("Help."), "2026-03-31T14:00:00+02:00", datetime(2026, 3, 31, 12, tzinfo=UTC)),
    (
        MomentColumn("Help."),
        "2026-03-31t12:00:00.5z",
        datetime(2026, 3, 31, 12, 0, 0, 500_000, UTC),
    ),
    (DurationColumn("Help."), "90", timedelta(seconds=90)),
    (DurationColumn("Help."), "00:01:30", timedelta(seconds=90)),
    (DurationColumn("Help."), "PT1M30S", timedelta(seconds=90)),
    (DurationColumn("Help."), "P1DT36H", timedelta(days=2.5)),
    (DurationColumn("Help."), "P2W", timedelta(weeks=2)),
    (DurationColumn("Help."), "0", timedelta()),
    (ListColumn("Help."), '["a", "b,c"]', ["a", "b,c"]),
    (ListColumn("Help."), "alone", ["alone"]),
    (ListColumn("Help."), "[]", []),
    (EmailColumn("Help."), "Ann.Bell+x@example.com", "Ann.Bell+x@example.com"),
    (
        URLColumn("Help."),
        "https://example.com:8080/a?b=c#d@e",
        "https://example.com:8080/a?b=c#d@e",
    ),
    (JSONColumn("Help."), r'"\ud83d\ude00"', "\U0001f600"),
]

BAD: list[tuple[Column[Any], str, str]] = [
    (TextColumn("Help.", max_length=3), "abcd", "longer than 3 characters"),
    (TextColumn("Help.", min_length=2), "a", "shorter than 2 characters"),
    (E164Column("Help."), "14157215234", r"not E.164: .*, such as \+14157215234"),
    (E164Column("Help."), "+0123", "E.164"),
    (E164Column("Help."), "+1", "E.164"),
    (E164Column("Help."), "+1234567890123456", "E.164"),
    (E164Column("Help."), "+1415 721", "E.164"),
    (E164Column("Help."), "+14157215234\n", "E.164"),
    (E164Column("Help."), "+١٢٣٤", "E.164"),
    (AccountColumn("Help."), ACCOUNT_ID.upper(), "32 lower-case hex"),
    (AccountColumn("Help."), ACCOUNT_ID[:-1], "32 lower-case hex"),
    (PatternColumn("Help.", pattern="[ab]+", example="ab"), "abc", r"matches \[ab\]\+, such as ab"),
    (PatternColumn("Help.", pattern="[ab]+", rule="a word of a and b"), "c", "not a word of a"),
    (IntegerColumn("Help."), "1.0", "without the point, such as 1 rather than 1.0"),
    (IntegerColumn("Help."), "1.5", "not a whole number: write digits and nothing else"),
    (IntegerColumn("Help."), "1e3", "write digits and nothing else, such as 1000"),
    (IntegerColumn("Help."), "+1", "write digits and nothing else, such as 1000"),
    (IntegerColumn("Help."), "1,000", "no separators of thousands"),
    (IntegerColumn("Help."), "1_000", "no separators of thousands"),
    (IntegerColumn("Help."), "1 000", "no separators of thousands"),
    (IntegerColumn("Help."), " 1", "without spaces"),
    (IntegerColumn("Help."), "9" * 19, "more than 18 digits"),
    (IntegerColumn("Help."), "١٢", "whole number"),
    (IntegerColumn("Help.", minimum=1), "0", "less than 1"),
    (IntegerColumn("Help.", maximum=3), "4", "more than 3"),
    (DecimalColumn("Help."), "NaN", "NaN and infinity are not accepted"),
    (DecimalColumn("Help."), "-Infinity", "NaN and infinity are not accepted"),
    (DecimalColumn("Help."), "1,000.50", "no separators of thousands, and a point before decimals"),
    (DecimalColumn("Help."), "0,5", "a point before decimals, such as 1234.56"),
    (DecimalColumn("Help."), "$5", "write digits and nothing else, such as 1234.56"),
    (DecimalColumn("Help."), ".", "decimal"),
    (DecimalColumn("Help."), "1e", "decimal"),
    (DecimalColumn("Help."), "1e99", "10 digits before"),
    (DecimalColumn("Help."), "1e-9", "8 after the point"),
    (DecimalColumn("Help."), "1e999999999", "decimal"),
    (DecimalColumn("Help.", max_digits=4, decimal_places=2), "123", "2 digits before"),
    (DecimalColumn("Help.", max_digits=4, decimal_places=2), "1.123", "2 after"),
    (DecimalColumn("Help.", minimum=0), "-1e-2", "less than 0"),
    (MoneyColumn("Help."), "0.505", "2 after the point"),
    (MoneyColumn("Help."), "0.50 EUR", "write digits and nothing else"),
    (BooleanColumn("Help."), "yes", "neither true nor false"),
    (BooleanColumn("Help."), "1", "neither true nor false"),
    (ChoiceColumn("Help.", choices=["a", "b"]), "c", "one of a, b"),
    (CountryColumn("Help."), "XX", "not an ISO 3166-1 country code .*, such as US"),
    (CountryColumn("Help."), "USA", "ISO 3166-1"),
    (CountryColumn("Help."), "ß", "ISO 3166-1"),  # its upper case is SS
    (DateColumn("Help."), "31.03.2026", "not a date: write YYYY-MM-DD, such as 2026-03-31"),
    (DateColumn("Help."), "20260331", "not a date"),
    (DateColumn("Help."), "2026-02-30", "not a day of the calendar"),
    (DateColumn("Help."), "0000-01-01", "not a day of the calendar"),
    (DateColumn("Help."), "٢٠٢٦-٠٣-٣١", "not a date"),
    (MomentColumn("Help."), "2026-03-31T12:00:00", "end it with Z, or an offset such as"),
    (MomentColumn("Help."), "2026-03-31", "not a moment: write YYYY-MM-DDThh:mm:ssZ"),
    (MomentColumn("Help."), "2026-03-31T25:00:00Z", "not a moment of the calendar"),
    (MomentColumn("Help."), "0001-01-01T00:00:00+01:00", "not a moment of the calendar"),
    (MomentColumn("Help."), "2026-03-31T12:00:00.1234567Z", "not a moment"),
    (DurationColumn("Help."), "P1Y", "years and months differ in length"),
    (DurationColumn("Help."), "P", "not a duration"),
    (DurationColumn("Help."), "P1DT", "not a duration"),
    (DurationColumn("Help."), "1:30", "hh:mm:ss, or ISO 8601, such as PT1M30S"),
    (DurationColumn("Help."), "-90", "not a duration"),
    (DurationColumn("Help."), "2147483648", "more than 2,147,483,647 seconds"),
    (DurationColumn("Help."), "P9999999999W", "more than 2,147,483,647 seconds"),
    (ListColumn("Help."), "[1,2]", "put each in quotes"),
    (ListColumn("Help."), '["a"', "not JSON"),
    (ListColumn("Help."), r'["\u0000"]', "NUL"),
    (ListColumn("Help."), "alone\0", "NUL"),
    (ListColumn("Help."), r'["\ud800"]', "surrogate"),
    (ListColumn("Help.", max_count=1), '["a","b"]', "more than 1 text"),
    (ListColumn("Help.", max_length=1), '["ab"]', "longer than 1 character"),
    (EmailColumn("Help."), "ann at example.com", "not an e-mail address"),
    (EmailColumn("Help."), " ann@example.com", "not an e-mail address"),
    (EmailColumn("Help."), "a" * 250 + "@b.de", "longer than 254"),
    (URLColumn("Help."), "example.com", "write it with http:// or https://"),
    (URLColumn("Help."), "ftp://example.com", "write it with http:// or https://"),
    (URLColumn("Help."), "javascript:alert(1)", "not a URL"),
    (URLColumn("Help."), "https://ann:secret@example.com/", "without the part before the @"),
    (URLColumn("Help."), "https://[::1", "not a URL"),
    (URLColumn("Help."), "https://example.com/" + "a" * 2_048, "longer than 2,048"),
    (JSONColumn("Help."), "{", "not JSON"),
    (JSONColumn("Help."), "NaN", "not JSON"),
    (JSONColumn("Help."), "1e999", "not JSON"),
    (JSONColumn("Help."), "[" * 100_000, "not JSON"),
    (JSONColumn("Help."), "[" * 101 + "]" * 101, "more than 100 deep"),
    (JSONColumn("Help."), r'{"a": ["\u0000"]}', "NUL"),
    (JSONColumn("Help."), r'{"\udfff": 1}', "surrogate"),
    (DateTimeColumn("Help."), "yesterday", "Gregorian.*such as 63632526992"),
    (DateTimeColumn("Help."), "0", "calendar"),
    (DateTimeColumn("Help."), "999999999999", "calendar"),
]


@pytest.mark.parametrize(("column", "text", "value"), GOOD)
def test_a_good_cell_becomes_its_value_alone_and_in_a_column(
    column: Column[Any], text: str, value: Any
) -> None:
    alone = column.parse(text)
    together = column.parse_many([text, "", " \t", text])

    assert alone == value
    assert together == [value, None, None, value]
    assert column.parse_many([text] * 3) == [value] * 3


@pytest.mark.parametrize(("column", "text", "why"), BAD)
def test_a_bad_cell_is_refused_with_its_reason_alone_and_in_a_column(
    column: Column[Any], text: str, why: str
) -> None:
    with pytest.raises(CellError, match=why):
        column.parse(text)
    with pytest.raises(CellError, match=why):
        column.parse_many([text])


def test_a_cell_with_a_line_break_is_not_taken_for_two() -> None:
    with pytest.raises(CellError):
        E164Column("Help.").parse_many(["+14157215234", "+1415\n+1416"])


@pytest.mark.parametrize(("column", "text", "value"), GOOD)
def test_a_value_is_written_so_that_it_reads_the_same(
    column: Column[Any], text: str, value: Any
) -> None:
    written = column.format(value)

    assert column.parse(written) == value
    assert column.format(None) == ""


def test_small_amounts_are_written_without_an_exponent() -> None:
    assert DecimalColumn("Help.").format(Decimal("0.00000001")) == "0.00000001"


@pytest.mark.parametrize(
    ("column", "value", "cell"),
    [
        (MoneyColumn("Help."), Decimal("0.5000000000"), "0.50"),  # as a database returns it
        (MoneyColumn("Help."), Decimal(0), "0.00"),
        (MoneyColumn("Help."), Decimal("0.505"), "0.505"),  # no part of an amount is lost
        (MoneyColumn("Help.", places=0), Decimal("1E+3"), "1000"),
        (DecimalColumn("Help."), Decimal("5E+3"), "5000"),
        (DecimalColumn("Help."), 5, "5"),
        (BooleanColumn("Help."), True, "true"),
        (MomentColumn("Help."), datetime(2026, 3, 31, 12, tzinfo=UTC), "2026-03-31T12:00:00Z"),
        (MomentColumn("Help."), datetime(2026, 3, 31, 14, tzinfo=CEST), "2026-03-31T12:00:00Z"),
        (DateColumn("Help."), date(1, 2, 3), "0001-02-03"),
        (DurationColumn("Help."), timedelta(days=1, hours=2, seconds=3), "P1DT2H3S"),
        (DurationColumn("Help."), timedelta(), "PT0S"),
        (ListColumn("Help."), ["a", "ä"], '["a","ä"]'),
    ],
)
def test_a_value_has_one_form_in_the_output(column: Column[Any], value: Any, cell: str) -> None:
    assert column.format(value) == cell


def test_a_moment_without_a_time_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="time zone"):
        MomentColumn("Help.").format(datetime(2026, 3, 31))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        (TextColumn("Help."), "any text"),
        (TextColumn("Help.", max_length=1), "text of at most 1 character"),
        (TextColumn("Help.", min_length=2, max_length=1_000), "text of 2 to 1,000 characters"),
        (DecimalColumn("Help.", minimum=0), "10 digits before and 8 after the point, at least 0"),
        (MoneyColumn("Help.", max_digits=5), "an amount of at most 3 digits before and 2 after"),
        (
            ListColumn("Help.", max_count=2, max_length=3),
            "of at most 2 texts, each of at most 3 ch",
        ),
        (EmailColumn("Help."), "of at most 254 characters"),
        (URLColumn("Help.", max_length=80), "of at most 80 characters"),
        (CountryColumn("Help.", also=["XK"]), "in upper or lower case, or XK"),
        (DurationColumn("Help."), "at most 2,147,483,647 seconds"),
        (DateTimeColumn("Help."), "from 31622400 to 315569519999"),
        (JSONColumn("Help."), "nested at most 100 deep"),
    ],
)
def test_a_rule_names_its_limits(column: Column[Any], rule: str) -> None:
    assert rule in column.rule


def test_there_are_the_249_countries_of_iso_3166() -> None:
    assert len(set(COUNTRIES)) == 249
    assert set(COUNTRIES) >= SUPPORTED_REGIONS - {"AC", "TA", "XK"}  # not of ISO 3166-1


@pytest.mark.parametrize("pattern", ["[^,]+", "[^,]{3}", r"\D+", "(?s).+", "a*", "[ a]+", "aaa|"])
def test_an_unset_cell_is_none_whatever_the_pattern_matches(pattern: str) -> None:
    column = PatternColumn("Help.", pattern=pattern, example="aaa")

    assert column.parse_many(["aaa", "", " "]) == ["aaa", None, None]
    assert column.parse_many(["aaa", ""]) == ["aaa", None]


def test_a_pattern_that_matches_line_breaks_is_not_matched_across_cells() -> None:
    with pytest.raises(CellError):
        PatternColumn("Help.", pattern="[^,]{3}", example="aaa").parse_many(["a", "a"])


@pytest.mark.parametrize("bad", ["0", "51"])
def test_one_number_beyond_the_limits_is_found_among_good_ones(bad: str) -> None:
    column = IntegerColumn("Help.", minimum=1, maximum=50)

    with pytest.raises(CellError, match="than"):
        column.parse_many(["1", bad, "50"])


def test_a_column_with_a_parse_of_its_own_is_parsed_by_it() -> None:
    class Upper(TextColumn):
        def parse(self, text: str) -> str:
            return text.upper()

    class Doubled(IntegerColumn):
        def parse(self, text: str) -> int:
            return 2 * super().parse(text)

    assert Upper("Help.").parse_many(["a", ""]) == ["A", None]
    assert Doubled("Help.").parse_many(["1", "2"]) == [2, 4]


@pytest.mark.parametrize(("cell", "expected"), [("", True), (" \t ", True), ("0", False)])
def test_cells_of_nothing_but_spaces_and_tabs_are_unset(cell: str, expected: bool) -> None:
    assert is_unset(cell) is expected


def test_other_white_space_is_a_value() -> None:
    assert not is_unset("\n")
    assert not is_unset("\u00a0")


def test_a_column_takes_its_name_from_the_attribute_or_as_given() -> None:
    class Holder:
        plain = TextColumn("Help.")
        dotted = TextColumn("cnam.inbound", "Help.")
        named = TextColumn("Help.", name="from")

    names = [column.name for column in (Holder.plain, Holder.dotted, Holder.named)]

    assert names == ["plain", "cnam.inbound", "from"]
    assert Holder.dotted.help == "Help."


def test_a_column_describes_itself() -> None:
    column = IntegerColumn("weight", "How heavy.", minimum=1, maximum=100, mandatory=True)

    described = column.describe()

    assert described == {
        "name": "weight",
        "type": "integer",
        "rule": "a whole number of at most 18 digits, at least 1, at most 100",
        "help": "How heavy.",
        "example": "1",
        "mandatory": True,
    }


def test_a_changed_copy_leaves_the_column_as_it_was() -> None:
    column = TextColumn("number", "Help.")

    changed = column.but(mandatory=True)

    assert changed.mandatory
    assert not column.mandatory
    assert changed.name == "number"
