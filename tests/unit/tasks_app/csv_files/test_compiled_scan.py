"""Does the compiled scan accept all valid rows, and stop directly before the first faulty one?"""

from __future__ import annotations

import pytest

from tasks_app.csv_files import plain_scan
from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.plain_scan import RowForm
from tasks_app.csv_files.scanning import COMPILED_SCAN
from tests.unit.tasks_app.csv_files.reference import LIMITS, with_compiler

pytestmark = with_compiler
scan_block = COMPILED_SCAN

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
    "lone quote": b'5" pipe,2\n',
    "lone carriage return": b"1,2\r3,4\n",
    "quoted lone carriage return": b'"1\r2",3\n',
    "blank lines of carriage returns": b"\r\r1,2\r\r\n\n3,4\r\n",
}
SHIFTS = [0, 1, 31, 62, 63, 64, 65, 127]  # quotes and line ends come to stand around each 64th byte


@pytest.mark.parametrize("rows", REGULAR.values(), ids=REGULAR.keys())
@pytest.mark.parametrize("shift", SHIFTS)
def test_all_rows_of_a_block_are_taken(rows: bytes, shift: int) -> None:
    block = shift * b"x" + b",y\n" + 30 * rows

    compiled = scan_block(block, FORM)

    plain = plain_scan.scan_block(block, FORM, is_last=True)
    blank = block[compiled.used_bytes :]
    assert not blank.strip()
    assert list(compiled.row_ends) == plain.row_ends
    assert list(compiled.unset_rows) == plain.unset_rows
    assert compiled.line_count == plain.line_count - blank.count(b"\n")


ODD = {
    "text after a closing quote": b'"1"x,2\n',
    "NUL": b"1,\0\n",
    "not UTF-8": b"1,\xff\n",
    "quote without end": b'1,"2\n3,4\n',
}


@pytest.mark.parametrize("row", ODD.values(), ids=ODD.keys())
def test_what_is_odd_is_left_to_the_plain_way(row: bytes) -> None:
    good = 50 * b'1,"two"\n'

    scan = scan_block(good + row + good, FORM)

    assert scan.used_bytes == len(good)


@pytest.mark.parametrize("row", [b"1,2,3\n", b"1\n"])
def test_a_row_of_another_width_is_not_taken(row: bytes) -> None:
    assert scan_block(row + b"1,2\n", FORM).used_bytes == 0


@pytest.mark.parametrize("end", [b'"', b'"1', b'"1"', b"1", b"1,", b'1,"2"', b"1,2", b"1,2\r"])
def test_a_row_that_may_go_on_is_not_taken(end: bytes) -> None:
    assert scan_block(b"1,2\n" + end, FORM).used_bytes == 4


def test_a_row_that_is_longer_than_a_cell_may_be_is_not_taken() -> None:
    limits = ScanLimits(columns=2, cell_bytes=5, rows=10)

    scan = scan_block(b"1234,6\n", RowForm(2, (), limits))

    assert scan.used_bytes == 0
