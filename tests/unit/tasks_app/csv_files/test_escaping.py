"""Is every cell that a spreadsheet would run made harmless, and no other byte touched?"""

from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks_app.csv_files.escaping import escape_for_spreadsheets
from tests.unit.tasks_app.csv_files.files import block_sizes
from tests.unit.tasks_app.csv_files.reference import cut, rows_of

BOM = b"\xef\xbb\xbf"
CELLS = [
    "", "a", "=1+1", "+1415", "-", "@x", "\tx", "x=1", " =1", "'=1", "é",
    '""', '"="', '"=1,2"', '"\r="', '"\n="', '"a\n=b"', '"""=1"', '"+""1"""', '"a"",=b"', '"\t"',
]  # fmt: skip
SCRAPS = [b"=", b"+", b"\t", b"a", b",", b"\n", b"\r", b"\r\n", b'"', b'""', BOM, b"\xef", b"\xbb"]

good_files = st.tuples(
    st.sampled_from(["", "\ufeff"]),
    st.lists(
        st.tuples(st.sampled_from(CELLS), st.sampled_from([",", "\n", "\r\n", "\r"])), max_size=20
    ),
).map(lambda file: (file[0] + "".join(map("".join, file[1]))).encode())
rubbish = st.lists(st.sampled_from(SCRAPS), max_size=25).map(b"".join)


def escape(data: bytes, *sizes: int) -> bytes:
    return b"".join(escape_for_spreadsheets(cut(data, sizes or [2**30])))


@given(good_files)
@settings(max_examples=250, deadline=None)
def test_a_spreadsheet_sees_no_formula_and_otherwise_the_same_cells(data: bytes) -> None:
    before = [cells for cells, _, _ in rows_of(data)]

    after = [cells for cells, _, _ in rows_of(escape(data))]

    assert after == [
        ["'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell for cell in row]
        for row in before
    ]


@given(good_files)
@settings(max_examples=200, deadline=None)
def test_nothing_but_apostrophes_is_added(data: bytes) -> None:
    data = data.replace(b"'", b"")

    assert escape(data).replace(b"'", b"") == data


@given(st.one_of(good_files, rubbish), block_sizes)
@example(b'""a",=', [3])
@settings(max_examples=300, deadline=None)
def test_escaping_does_not_depend_on_how_the_file_is_cut(data: bytes, sizes: list[int]) -> None:
    assert escape(data, *sizes) == escape(data)


@pytest.mark.parametrize(
    ("data", "escaped"),
    [
        (b"", b""),
        (b"a,b\n+1415,x\n", b"a,b\n'+1415,x\n"),
        (BOM + b"=a,b\n", BOM + b"'=a,b\n"),
        (b'"=1,""2""",-\r\n@', b'"\'=1,""2""",\'-\r\n\'@'),
        (b'"a\n=b"\n', b'"a\n=b"\n'),
        (b"a=,b+\n", b"a=,b+\n"),
    ],
)
def test_an_apostrophe_stands_before_each_formula(data: bytes, escaped: bytes) -> None:
    assert escape(data) == escaped


def test_memory_does_not_grow_with_a_cell() -> None:
    blocks = itertools.chain([b'"='], itertools.repeat(65_536 * b"x", 500))
    tracemalloc.start()
    try:
        length = sum(map(len, escape_for_spreadsheets(blocks)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert length == 3 + 500 * 65_536
    assert peak < 2**20
