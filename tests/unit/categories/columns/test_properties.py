"""Is every type of column stable: does what it writes read as the same value, in any column?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from categories import columns
from categories.columns import UNSTORABLE, Column, is_unset
from categories.errors import CellError
from tests.unit.categories.columns.kinds import CELLS, KINDS

REFUSED = "refused"
BASES = {"Column", "BoundedColumn", "WordsColumn"}

each_kind = pytest.mark.parametrize("kind", KINDS)


def parse(column: Column[Any], cell: str) -> Any:
    """Return the value, None if unset, REFUSED if bad."""
    try:
        return None if is_unset(cell) else column.parse(cell)
    except CellError:
        return REFUSED


def texts_in(value: Any) -> Iterator[str]:
    """Yield all texts of a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


def test_each_type_of_column_is_tried() -> None:
    types = {
        name
        for name, value in vars(columns).items()
        if isinstance(value, type) and issubclass(value, Column)
    }

    assert {type(column).__name__ for column in KINDS.values()} == types - BASES


@each_kind
@settings(max_examples=60, deadline=None)
@given(cell=CELLS)
def test_what_is_written_reads_as_the_same_value_and_is_written_the_same(
    kind: str, cell: str
) -> None:
    column = KINDS[kind]
    value = parse(column, cell)

    if value is not REFUSED:
        written = column.format(value)
        assert parse(column, written) == value
        assert column.format(parse(column, written)) == written


@each_kind
@settings(max_examples=40, deadline=None)
@given(cells=st.lists(CELLS, max_size=6), times=st.sampled_from([1, 3]))
def test_a_whole_column_is_parsed_like_its_cells(kind: str, cells: list[str], times: int) -> None:
    column = KINDS[kind]
    alone = [parse(column, cell) for cell in cells * times]
    good = [cell for cell, value in zip(cells * times, alone, strict=True) if value is not REFUSED]

    if len(good) < len(alone):
        with pytest.raises(CellError):
            column.parse_many(cells * times)
    assert column.parse_many(good) == [value for value in alone if value is not REFUSED]


@each_kind
@settings(max_examples=40, deadline=None)
@given(cell=CELLS)
def test_a_text_that_an_upload_can_hold_gives_a_value_that_a_database_can(
    kind: str, cell: str
) -> None:
    value = parse(KINDS[kind], UNSTORABLE.sub("", cell))

    assert not any(map(UNSTORABLE.search, texts_in(value)))


@pytest.mark.parametrize(
    "unit", ["0", "9", ".", "-", "e9", "P1D", "[", '"', "a@", "https://a.", "\n", "é"]
)
@pytest.mark.parametrize("end", ["", "x", "\0"])
def test_a_cell_of_a_mebibyte_is_answered_at_once(unit: str, end: str) -> None:
    """A pattern that takes quadratic time would take hours."""
    cell = unit * (2**20 // len(unit)) + end

    for column in KINDS.values():
        value = parse(column, cell)
        assert value is REFUSED or parse(column, column.format(value)) == value
