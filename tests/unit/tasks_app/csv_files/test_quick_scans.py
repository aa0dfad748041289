"""Do the quick ways take all that is regular, and stop right in front of what is not?"""

from __future__ import annotations

import pytest

from tasks_app.csv_files import fast_scan, plain_scan
from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.plain_scan import RowForm
from tests.unit.tasks_app.csv_files.reference import (
    LIMITS,
    QUICK_SCANS,
    every_quick_way,
    with_compiler,
)

FORM = RowForm(width=2, mandatory=(0,), limits=LIMITS)
REGULAR = {
    "plain": b"1,2\n3,4\n",
    "quoted from the first byte on": b'"1","2"\n"3","4"\n',
    "quoted with both line ends": b'"1","2"\r\n"3",""\n',
    "doubled quotes": b'"a ""b"" c",2\n"""",""""""\n',
    "quoted line ends": b'"a\nb\r\nc",2\n',
    "blank lines": b"\n1,2\n\r\n\n3,4\r\n\n",
    "unset mandatory cells": b',2\n"",2\n \t,2\n" ",2\n',
    "not ASCII": "é,\u2028\n".encode(),
}
RARE = {
    "lone quote": b'5" pipe,2\n',
    "lone carriage return": b"1,2\r3,4\n",
    "quoted lone carriage return": b'"1\r2",3\n',
    "blank lines of carriage returns": b"\r\r1,2\r\r\n\n3,4\r\n",
}
SHIFTS = [0, 1, 31, 62, 63, 64, 65, 127]  # quotes and line ends come to stand around each 64th byte
EDGES = pytest.mark.parametrize("shift", SHIFTS)


def assert_all_is_taken(way: str, rows: bytes, shift: int) -> None:
    block = shift * b"x" + b",y\n" + 30 * rows

    quick = QUICK_SCANS[way](block, FORM)

    plain = plain_scan.scan_block(block, FORM, is_last=True)
    blank = block[quick.used_bytes :]
    assert not blank.strip()
    assert list(quick.row_ends) == plain.row_ends
    assert list(quick.unset_rows) == plain.unset_rows
    assert quick.line_count == plain.line_count - blank.count(b"\n")


@every_quick_way
@pytest.mark.parametrize("rows", REGULAR.values(), ids=REGULAR.keys())
@EDGES
def test_all_rows_of_a_regular_block_are_taken(rows: bytes, shift: int, way: str) -> None:
    assert_all_is_taken(way, rows, shift)


@with_compiler
@pytest.mark.parametrize("rows", RARE.values(), ids=RARE.keys())
@EDGES
def test_what_is_rare_is_taken_by_the_compiled_way(rows: bytes, shift: int) -> None:
    assert_all_is_taken("compiled", rows, shift)


ODD = {
    "text after a closing quote": b'"1"x,2\n',
    "NUL": b"1,\0\n",
    "not UTF-8": b"1,\xff\n",
    "quote without end": b'1,"2\n3,4\n',
}


@every_quick_way
@pytest.mark.parametrize("row", ODD.values(), ids=ODD.keys())
def test_what_is_odd_is_left_to_the_plain_way(row: bytes, way: str) -> None:
    good = 50 * b'1,"two"\n'

    scan = QUICK_SCANS[way](good + row + good, FORM)

    assert scan.used_bytes == len(good)


@pytest.mark.parametrize("row", RARE.values(), ids=RARE.keys())
def test_what_is_rare_is_left_to_the_plain_way_by_numpy(row: bytes) -> None:
    good = 50 * b'1,"two"\n'

    scan = QUICK_SCANS["numpy"](good + row + good, FORM)

    assert scan.used_bytes <= len(good)


@every_quick_way
@pytest.mark.parametrize("row", [b"1,2,3\n", b"1\n"])
def test_a_row_of_another_width_is_not_taken(row: bytes, way: str) -> None:
    assert QUICK_SCANS[way](row + b"1,2\n", FORM).used_bytes == 0


@every_quick_way
@pytest.mark.parametrize("end", [b'"', b'"1', b'"1"', b"1", b"1,", b'1,"2"', b"1,2", b"1,2\r"])
def test_a_row_that_may_go_on_is_not_taken(end: bytes, way: str) -> None:
    assert QUICK_SCANS[way](b"1,2\n" + end, FORM).used_bytes == 4


@every_quick_way
def test_a_row_that_is_longer_than_a_cell_may_be_is_not_taken(way: str) -> None:
    limits = ScanLimits(columns=2, cell_bytes=5, rows=10)

    scan = QUICK_SCANS[way](b"1234,6\n", RowForm(2, (), limits))

    assert scan.used_bytes == 0


@with_compiler
def test_the_compiled_way_is_the_first_choice() -> None:
    assert fast_scan.QUICKEST is QUICK_SCANS["compiled"]
