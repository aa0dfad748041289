"""Random CSV files, from good ones to rubbish."""

from __future__ import annotations

from hypothesis import strategies as st

DECLARED = [
    {"id": True, "number": True, "note": False},
    {"id": True, "number": False, "note": False},
    {"id": False, "number": False, "note": False, "wef": False, "é": False},
]
GOOD_HEADERS = [["id"], ["id", "number"], ["note", "number", "id"], ["number", "id", "note"]]
ODD_NAMES = ["id", "number", "note", "wef", " id", "ID", "", "é"]
LINE_ENDS = ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\n\r\n"]
CELLS = [
    "1", "", " ", "\t ", "abc", "+1415", "é", "𝄞", 'a"b', " x", "\u2028", "\x85", "\xa0", "\ufeff",
    '""', '"x"', '"x,y"', '"p\nq"', '"p\r\nq"', '"p\rq"', '"say ""hi"""', '"""', '""""', '" "',
]  # fmt: skip
SCRAPS = [
    b"a", b",", b"\n", b"\r\n", b"\r", b'"', b'""', b'"x,y"', b'"p\nq"', b" ", b"\t", b"+1", b"\0",
    b"\xff", b"\xc3", b"\xa9", b"\xe2\x80\xa8", b"\xc2\x85", b"\xef\xbb\xbf", b"\xff\xfe", b"id",
]  # fmt: skip


@st.composite
def regular_files(draw: st.DrawFn) -> bytes:
    """A file that is valid unless a name or a cell makes it invalid."""
    odd_headers = st.lists(st.sampled_from(ODD_NAMES), min_size=1, max_size=4)
    names = draw(st.one_of(*3 * [st.sampled_from(GOOD_HEADERS)], odd_headers))
    width = len(names)
    good = [cell for cell in CELLS if cell != '"""']
    cells = st.sampled_from(draw(st.sampled_from([["1", "abc"], ["1", *good[5:]], good, CELLS])))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=12))
    line_ends = st.sampled_from(draw(st.sampled_from([["\n"], ["\r\n"], LINE_ENDS])))
    text = draw(st.sampled_from(["", "", "\ufeff", "\n", "\r\n"]))
    for row in [names, *rows]:
        text += ",".join(row) + draw(line_ends)
    cut_off = draw(st.sampled_from([0, 0, 0, 0, 1, 2]))
    data = text.encode()
    return data[: len(data) - cut_off]


@st.composite
def spoiled_files(draw: st.DrawFn) -> bytes:
    """A regular file with random bytes in a random place."""
    data = draw(regular_files())
    at = draw(st.integers(0, len(data)))
    return data[:at] + draw(st.sampled_from(SCRAPS)) + data[at:]


rubbish = st.lists(st.sampled_from(SCRAPS), max_size=40).map(b"".join)
any_files = st.one_of(regular_files(), regular_files(), spoiled_files(), rubbish)
declared_columns = st.sampled_from(DECLARED)
block_sizes = st.lists(st.integers(1, 60), min_size=1, max_size=5)
