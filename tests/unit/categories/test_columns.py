from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from categories.columns import (
    AccountColumn,
    BooleanColumn,
    ChoiceColumn,
    Column,
    DateTimeColumn,
    DecimalColumn,
    E164Column,
    IntegerColumn,
    JSONColumn,
    TextColumn,
    is_unset,
)
from categories.errors import CellError

ACCOUNT_ID = "009afc511c97b2ae693c6cc4920988e8"

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
]

BAD: list[tuple[Column[Any], str, str]] = [
    (TextColumn("Help.", max_length=3), "abcd", "longer than 3"),
    (E164Column("Help."), "14157215234", "E.164"),
    (E164Column("Help."), "+0123", "E.164"),
    (E164Column("Help."), "+1", "E.164"),
    (E164Column("Help."), "+1234567890123456", "E.164"),
    (E164Column("Help."), "+1415 721", "E.164"),
    (E164Column("Help."), "+14157215234\n", "E.164"),
    (E164Column("Help."), "+١٢٣٤", "E.164"),
    (AccountColumn("Help."), ACCOUNT_ID.upper(), "32 lower-case hex"),
    (AccountColumn("Help."), ACCOUNT_ID[:-1], "32 lower-case hex"),
    (IntegerColumn("Help."), "1.0", "whole number"),
    (IntegerColumn("Help."), "1_000", "whole number"),
    (IntegerColumn("Help."), " 1", "whole number"),
    (IntegerColumn("Help."), "9" * 19, "whole number"),
    (IntegerColumn("Help.", minimum=1), "0", "less than 1"),
    (IntegerColumn("Help.", maximum=3), "4", "more than 3"),
    (DecimalColumn("Help."), "1e5", "decimal"),
    (DecimalColumn("Help."), "NaN", "decimal"),
    (DecimalColumn("Help."), "1.", "decimal"),
    (DecimalColumn("Help.", max_digits=4, decimal_places=2), "123", "2 digits before"),
    (DecimalColumn("Help.", max_digits=4, decimal_places=2), "1.123", "2 after"),
    (BooleanColumn("Help."), "True", "neither true nor false"),
    (BooleanColumn("Help."), "1", "neither true nor false"),
    (ChoiceColumn("Help.", choices=["a", "b"]), "c", "one of a, b"),
    (JSONColumn("Help."), "{", "not JSON"),
    (JSONColumn("Help."), "NaN", "not JSON"),
    (JSONColumn("Help."), "[" * 100_000, "not JSON"),
    (DateTimeColumn("Help."), "yesterday", "Gregorian"),
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
        "rule": "a whole number, at least 1, at most 100",
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
