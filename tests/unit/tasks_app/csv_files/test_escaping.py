"""Is every cell that a spreadsheet would run escaped, and every other byte unchanged?"""
# ruff: noqa: RUF001 - full-width signs are what is tried here

from __future__ import annotations

import itertools
import re
import tracemalloc
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks_app.csv_files.escaping import escape_for_spreadsheets
from tests.unit.tasks_app.csv_files.files import block_sizes
from tests.unit.tasks_app.csv_files.reference import cut, rows_of

BOM = b"\xef\xbb\xbf"
CELLS = [
    "", "a", "=1+1", "+1415", "-", "@x", "\tx", "x=1", " =1", "'=1", "é",
    "＝1", " ＝1", "\xa0@x", "\u200b-1", "\ufeff+1", "\u3000", "\U000e0020=1", "＃1",
    '  "=1,2', "  a",
    '"  =1"', '"\u2028\r\n＋1"', '"\n"', '" "',
    '""', '"="', '"=1,2"', '"\r="', '"\n="', '"a\n=b"', '"""=1"', '"+""1"""', '"a"",=b"', '"\t"',
]  # fmt: skip
SCRAPS = [
    b"=",
    b"+",
    b"\t",
    b"a",
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b'"',
    b'""',
    BOM,
    b"\xef",
    b"\xbb",
    b" ",
]
SCRAPS += ["＝".encode(), "\u200b".encode(), b"\xbc\x9d"]

good_files = st.tuples(
    st.sampled_from(["", "\ufeff"]),
    st.lists(
        st.tuples(st.sampled_from(CELLS), st.sampled_from([",", "\n", "\r\n", "\r"])), max_size=20
    ),
).map(lambda file: (file[0] + "".join(map("".join, file[1]))).encode())
rubbish = st.lists(st.sampled_from(SCRAPS), max_size=25).map(b"".join)


def is_unseen(character: str) -> bool:
    fillers = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    return unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp", "Zs"} or character in fillers


def is_sign(character: str) -> bool:
    return unicodedata.normalize("NFKC", character) in set("=+-@")


def expected(cell: str) -> str:
    """Return the cell with an apostrophe before its first dangerous character."""
    if cell.startswith(("\t", "\r", "\n")):
        return "'" + cell
    dropped = "".join(itertools.takewhile(is_unseen, cell))
    if dropped and '"' in cell:  # LibreOffice takes the quote for one that begins the cell
        dropped += '"' * cell[len(dropped) :].startswith('"')
    rest = cell[len(dropped) :]
    return f"{dropped}'{rest}" if rest and is_sign(rest[0]) else cell


def escape(data: bytes, *sizes: int) -> bytes:
    return b"".join(escape_for_spreadsheets(cut(data, sizes or [2**30])))


@given(good_files)
@settings(max_examples=250, deadline=None)
def test_a_spreadsheet_sees_no_formula_and_otherwise_the_same_cells(data: bytes) -> None:
    before = [cells for cells, _, _ in rows_of(data)]

    after = [cells for cells, _, _ in rows_of(escape(data))]

    assert after == [[expected(cell) for cell in row] for row in before]


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
        ("＝1+1,－1\n".encode(), "'＝1+1,'－1\n".encode()),
        (b'  =1, "=1+1"\n', b"  '=1, \"'=1+1\"\n"),
        (b'"\n=1","\t"\n', b'"\'\n=1","\'\t"\n'),
        ("\u200b＠SUM,\ufeff-1\n".encode(), "\u200b'＠SUM,\ufeff'-1\n".encode()),
        ("  \u3000,＝".encode(), "  \u3000,'＝".encode()),
        (b"a=,b+\n", b"a=,b+\n"),
    ],
)
def test_an_apostrophe_stands_before_each_formula(data: bytes, escaped: bytes) -> None:
    assert escape(data) == escaped


def test_every_sign_and_every_unseen_character_of_unicode_is_known() -> None:
    everything = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    signs = [each for each in everything if is_sign(each)]
    unseen = [each for each in everything if is_unseen(each) and not is_visible(each)]

    missed = [each for each in signs if escape(each.encode()) != b"'" + each.encode()]
    missed += [
        each
        for each in unseen
        if each not in "\t\r\n" and escape(f"{each}=1".encode()) != f"{each}'=1".encode()
    ]

    assert missed == []


def is_visible(character: str) -> bool:
    """Tell whether a character of category Cf is drawn, as Arabic number signs are."""
    return bool(
        re.match(
            "[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001345f]",
            character,
        )
    )


@pytest.mark.parametrize("start", [b"", b'"'])
def test_a_sign_behind_megabytes_of_blanks_is_found(start: bytes) -> None:
    blocks = [start, *[b" " * 65_536] * 32, "＝1".encode()[:2], "＝1".encode()[2:]]

    escaped = b"".join(escape_for_spreadsheets(blocks))

    assert escaped == start + b" " * 65_536 * 32 + "'＝1".encode()


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
