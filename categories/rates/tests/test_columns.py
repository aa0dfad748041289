"""Which cells of a rate are good, and what do they become?"""

from decimal import Decimal
from typing import Any

import pytest

from categories.errors import CellError
from categories.rates.columns import RATE_COLUMNS, DirectionColumn

COLUMNS = {column.name: column for column in RATE_COLUMNS}


def test_there_are_20_columns_in_alphabetical_order() -> None:
    names = [column.name for column in RATE_COLUMNS]

    assert len(names) == 20
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("prefix", "1415", "1415"),
        ("prefix", "+1415", "1415"),
        ("rate_cost", "0.0123456789", Decimal("0.0123456789")),
        ("rate_cost", "99999.0000000001", Decimal("99999.0000000001")),
        ("direction", "inbound", "inbound"),
        ("direction", "Outbound", "outbound"),
        ("direction", '["Inbound"]', "inbound"),
        ("direction", '["outbound", "INBOUND"]', DirectionColumn.BOTH),
        ("iso_country_code", "us", "US"),
        ("iso_country_code", "NA", "NA"),
        ("iso_country_code", "de ", "DE"),
        ("direction", " outbound", "outbound"),
        ("iso_country_code", "xk", "XK"),
        ("rate_cost", "5E-04", Decimal("0.0005")),
        ("rate_cost", "1.5e3", Decimal(1500)),
        ("rate_cost", ".05", Decimal("0.05")),
        ("rate_increment", "6.0", 6),
        ("weight", "20.00", 20),
        ("weight", "500", 100),
        ("weight", "-3", 1),
        ("rate_increment", "60", 60),
        ("caller_id_numbers", "441:442", r"^\+?441.+$:^\+?442.+$"),
        ("routes", r'["^\\+?1415.+$","^1415"]', [r"^\+?1415.+$", "^1415"]),
        ("routes", r"^\+?1415.+$", [r"^\+?1415.+$"]),
        ("routes", "[2-9]11", ["[2-9]11"]),
        ("routes", '""', None),
        ("routes", "[]", None),
        ("routes", '[""]', None),
        ("options", "flat_rate", ["flat_rate"]),
    ],
)
def test_a_good_cell_becomes_its_value(column: str, cell: str, value: Any) -> None:
    assert COLUMNS[column].parse(cell) == value
    assert COLUMNS[column].parse_many([cell, ""]) == [value, None]
    assert COLUMNS[column].parse_many([cell, cell]) == [value, value]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("prefix", "14a5"),
        ("prefix", "1234567890123456"),
        ("prefix", "٣"),  # a digit, but not one to dial
        ("rate_cost", "cheap"),
        ("rate_cost", "-0.01"),
        ("rate_cost", "0,05"),
        ("rate_cost", "NaN"),
        ("rate_cost", "1e5"),
        ("rate_cost", "0.00000000001"),
        ("rate_cost", "100000"),
        ("rate_surcharge", "free"),
        ("direction", "sideways"),
        ("direction", '["inbound","sideways"]'),
        ("direction", "[1]"),
        ("direction", "inbound outbound"),
        ("iso_country_code", "USA"),
        ("iso_country_code", "NULL"),
        ("iso_country_code", "UK"),
        ("weight", "heavy"),
        ("rate_increment", "-1"),
        ("rate_minimum", "2147483648"),
        ("routes", "[1,2]"),
        ("routes", r'["\u0000"]'),
        ("options", r'["\ud800"]'),
        ("account_id", "me"),
        ("description", "x" * 1025),
        ("caller_id_numbers", "1:" * 2000),
    ],
)
def test_a_bad_cell_is_rejected(column: str, cell: str) -> None:
    with pytest.raises(CellError):
        COLUMNS[column].parse(cell)
    with pytest.raises(CellError):
        COLUMNS[column].parse_many([cell])


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("00491520", "00 is dialled before a number and is not part of it"),
        ("+00", "00 is dialled before a number"),
        ("011491520", "011 is dialled before a number and is not part of it"),
        ("0", "no number begins with 0"),
        ("+0491520", "no number begins with 0"),
        ("0049152012345678901", "00 is dialled before a number"),
        ("76,77", "a list, a range or separators"),
        ("93-99", "a list, a range or separators"),
        ("7840; 7940", "a list, a range or separators"),
        ("1\u20135", "a list, a range or separators"),
        ("441:442", "a list, a range or separators"),
        ("+49 1522", "it has blanks"),
        (" 49", "it has blanks"),
        ("491523.0", "a spreadsheet wrote it as a number"),
        ("4.91524E+05", "a spreadsheet wrote it as a number"),
        ("1234567890123456", "more than 15 digits"),
        ("1415x", "not 1 to 15 digits"),
        ("+", "not 1 to 15 digits"),
    ],
)
def test_a_bad_prefix_is_told_its_trouble(cell: str, why: str) -> None:
    with pytest.raises(CellError) as caught:
        COLUMNS["prefix"].parse_many(["1415", cell])

    assert caught.value.why.startswith(why)


@pytest.mark.parametrize(
    ("column", "value", "cell"),
    [
        ("rate_cost", Decimal("0.0500000000"), "0.05"),
        ("rate_cost", Decimal("0E-10"), "0"),
        ("rate_cost", Decimal(100), "100"),
        ("rate_cost", Decimal("0.0000000001"), "0.0000000001"),
        ("rate_surcharge", None, ""),
        ("routes", [r"^\+?1415.+$"], r'["^\\+?1415.+$"]'),
        ("options", [], ""),
    ],
)
def test_a_value_is_written_so_that_it_can_be_read_again(
    column: str, value: Any, cell: str
) -> None:
    assert COLUMNS[column].format(value) == cell
