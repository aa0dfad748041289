"""Can cells be read back from their lines?"""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.csv_files.reading import RowReader
from tasks_app.csv_files.writing import encode_row, encode_rows

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
