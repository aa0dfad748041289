"""Do cells come back from the lines they were written as, and records from their CSV?"""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.csv_files import writing
from tasks_app.csv_files.reading import RowReader
from tasks_app.csv_files.writing import encode_row, encode_rows, records_to_csv
from tasks_app.errors import CSVFormatError

texts = st.text(
    st.one_of(
        st.sampled_from("\",\r\n\t '=+é\u2028\x85"), st.characters(exclude_categories=["Cs"])
    ),
    max_size=6,
).filter(lambda text: "\0" not in text)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(texts, min_size=width, max_size=width), min_size=1, max_size=8))


def read_back(lines: list[bytes], width: int) -> list[list[str]]:
    file = io.BytesIO(b"".join(line + b"\n" for line in lines))
    return RowReader(file, width=width, offset=0, end_offset=None).take(1_000).cells


# ---- rows --------------------------------------------------------------------------------------


@given(tables())
@settings(max_examples=250, deadline=None)
def test_what_is_written_is_read_back(rows: list[list[str]]) -> None:
    lines = encode_rows(rows)

    assert read_back(lines, len(rows[0])) == rows
    assert list(csv.reader(io.StringIO(b"\n".join(lines).decode(), newline=""))) == rows


@given(tables())
@settings(max_examples=100, deadline=None)
def test_rows_are_written_together_as_they_are_one_by_one(rows: list[list[str]]) -> None:
    assert encode_rows(rows) == [encode_row(row) for row in rows]


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (["a", "b c", ""], b"a,b c,"),
        (["1,5", 'say "hi"'], b'"1,5","say ""hi"""'),
        (["a\nb", "a\rb", "a\r\nb"], b'"a\nb","a\rb","a\r\nb"'),
        ([""], b'""'),
        (["", ""], b","),
        (["+1415", "=1+1", "-1", "@x", "\tx"], b"+1415,=1+1,-1,@x,\tx"),
        (["é\u2028"], "é\u2028".encode()),
        (["\ud800"], b"\\ud800"),
    ],
)
def test_cells_are_quoted_only_where_needed(cells: list[str], line: bytes) -> None:
    assert encode_row(cells) == line


def test_no_rows_are_no_lines() -> None:
    assert encode_rows([]) == []


# ---- records -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ([{"number": "+1415", "account_id": "ab"}], "number,account_id\n+1415,ab\n"),
        ([{"b": "1"}, {"a": "2", "b": "3"}, {}], "b,a\n1,\n3,2\n,\n"),
        ([{"a": None, "b": ""}], "a,b\n,\n"),
        ([{"a": None}], 'a\n""\n'),
        ([{"a": True, "b": False}], "a,b\ntrue,false\n"),
        ([{"a": 0, "b": -7, "c": 1.5, "d": Decimal("0.10")}], "a,b,c,d\n0,-7,1.5,0.10\n"),
        (
            [{"a": 0.00001, "b": -2.5e-7, "c": 1e20}],
            "a,b,c\n0.00001,-0.00000025,100000000000000000000\n",
        ),
        ([{"a": 12345678901234567890}], "a\n12345678901234567890\n"),
        ([{"a": ["é", 1], "b": {}}], 'a,b\n"[""é"",1]",{}\n'),
        ([{"a": {"b": {"c": None}}}], 'a\n"{""b"":{""c"":null}}"\n'),
        ([{"a,b": "x\ny"}], '"a,b"\n"x\ny"\n'),
    ],
)
def test_records_become_a_header_and_a_row_each(records: list[Any], text: str) -> None:
    assert records_to_csv(records).decode() == text


@given(
    st.lists(
        st.dictionaries(texts.filter(bool), texts, min_size=1, max_size=4), min_size=1, max_size=6
    )
)
@settings(max_examples=200, deadline=None)
def test_records_come_back_from_their_csv(records: list[dict[str, str]]) -> None:
    rows = csv.DictReader(io.StringIO(records_to_csv(records).decode(), newline=""))

    assert [{name: text for name, text in row.items() if text} for row in rows] == [
        {name: text for name, text in record.items() if text} for record in records
    ]


@pytest.mark.parametrize(
    ("records", "words", "row"),
    [
        ([], "list with at least one object", None),
        ({"a": 1}, "list with at least one object", None),
        ("abc", "list with at least one object", None),
        ([{"a": 1}, ["a"]], "not an object", 2),
        ([{"a": 1}, None], "not an object", 2),
        ([{}, {}], "no fields", 1),
        ([{"a": 1}, {"a": float("inf")}], "no cell can hold", 2),
        ([{"a": 1}, {"a": [float("nan")]}], "no cell can hold", 2),
        ([{"a": 1}, {"a": "x\ud83d"}], r"\\ud83d, is not a character", 2),
        ([{"a": 1}, {"\udc00": 1}], r"\\udc00, is not a character", 2),
        ([{"a": ["\ud83d"]}], "is not a character", 1),
    ],
)
def test_a_record_that_no_row_can_stand_for_is_refused(
    records: Any, words: str, row: int | None
) -> None:
    with pytest.raises(CSVFormatError, match=words) as caught:
        records_to_csv(records)

    assert caught.value.row == row


def test_lists_nested_without_end_are_refused() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]

    with pytest.raises(CSVFormatError, match="no cell can hold"):
        records_to_csv([{"a": nested}])


def test_few_bytes_of_records_cannot_become_many_of_csv() -> None:
    wide = {f"column_{number}": "" for number in range(1_000)}
    records = [wide, *json.loads("[" + ",".join(30_000 * ["{}"]) + "]")]

    with pytest.raises(CSVFormatError, match=f"the limit of {writing.MOST_RECORD_CELLS}"):
        records_to_csv(records)


@pytest.mark.parametrize(
    ("value", "cell"), [(1e-300, "1e-300"), (-1e300, "-1e+300"), (1e30, "1" + 30 * "0")]
)
def test_a_number_of_hundreds_of_digits_is_written_short(value: float, cell: str) -> None:
    assert records_to_csv([{"a": value}]) == f"a\n{cell}\n".encode()


def test_records_take_no_more_memory_than_the_text_they_stand_for() -> None:
    records = [{"a": number} for number in range(100_000)]
    tracemalloc.start()
    try:
        content = records_to_csv(records)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert content.count(b"\n") == 100_001
    assert peak_bytes < 2.5 * len(content) + 2**20
