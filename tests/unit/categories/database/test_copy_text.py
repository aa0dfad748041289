from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from categories.database.copy_text import write_column, write_columns
from categories.number_management.states import NumberState

MOMENT = datetime(2026, 11, 23, 16, 0, 0, 123456, tzinfo=UTC)


def test_rows_are_lines_of_cells_between_tabs() -> None:
    text = write_columns([("+12", "+13"), (None, MOMENT), (True, False), (1, -2)])

    assert text == b"+12\t\\N\tt\t1\n+13\t2026-11-23T16:00:00.123456+00:00\tf\t-2\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", ""),
        ("\\N", r"\\N"),
        ("\\.", r"\\."),
        ("a\tb\nc\rd\be\vf\fg", r"a\tb\nc\rd\be\vf\fg"),
        ("ünï 😀", "ünï 😀"),
        (Decimal("0.10"), "0.10"),
        (NumberState.AGING, "aging"),
        (None, "\\N"),
    ],
)
def test_a_value_is_written_as_copy_reads_it(value: Any, written: str) -> None:
    assert "".join(write_column([value]) or ()) == written


def test_words_of_a_choice_and_texts_may_stand_in_one_column() -> None:
    written = write_column([NumberState.AGING, "aging", None]) or ()

    assert "|".join(written) == r"aging|aging|\N"


@pytest.mark.parametrize("values", [[1, "1"], [1, True], [b"x"], [1.5], [[1]], ["a\0b"]])
def test_what_only_the_driver_knows_is_left_to_it(values: list[Any]) -> None:
    assert write_column(values) is None
    assert write_columns([["+12"] * len(values), values]) is None
