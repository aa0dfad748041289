"""Does numpy take all that is regular, and stop right in front of what is not?"""

from __future__ import annotations

import pytest

from tasks_app.csv_files import fast_scan, plain_scan
from tasks_app.csv_files.plain_scan import RowForm
from tests.unit.tasks_app.csv_files.reference import LIMITS

FORM = RowForm(width=2, mandatory=(0,), limits=LIMITS)
REGULAR = {
    "plain": b"1,2\n3,4\n",
    "quoted from the first byte on": b'"1","2"\n"3","4"\n',
    "quoted with both line ends": b'"1","2"\r\n"3",""\n',
    "doubled quotes": b'"a ""b"" c",2\n"""",""""""\n',
    "quoted line ends": b'"a\nb\r\nc",2\n',
    "blank lines": b"\n1,2\n\r\n\n3,4\r\n\n",
    "not ASCII": "é,\u2028\n".encode(),
}


@pytest.mark.parametrize("block", REGULAR.values(), ids=REGULAR.keys())
@pytest.mark.parametrize("shift", [0, 1, 31, 62, 63, 64, 65, 127])
def test_all_rows_of_a_regular_block_are_taken(block: bytes, shift: int) -> None:
    block = shift * b"x" + b",y\n" + 30 * block  # quotes come to stand around each 64th byte

    fast = fast_scan.scan_block(block, FORM)

    plain = plain_scan.scan_block(block, FORM, is_last=True)
    assert len(block[fast.used_bytes :].strip()) == 0
    assert list(fast.row_ends) == plain.row_ends
    assert fast.unset_rows == plain.unset_rows


ODD = {
    "lone quote": b'5" pipe,2\n',
    "text after a closing quote": b'"1"x,2\n',
    "lone carriage return": b"1,2\r3,4\n",
    "quoted lone carriage return": b'"1\r2",3\n',
    "NUL": b"1,\0\n",
    "not UTF-8": b"1,\xff\n",
    "quote without end": b'1,"2\n3,4\n',
}


@pytest.mark.parametrize("row", ODD.values(), ids=ODD.keys())
def test_what_is_odd_is_left_to_the_plain_way(row: bytes) -> None:
    good = 50 * b'1,"two"\n'

    scan = fast_scan.scan_block(good + row + good, FORM)

    assert scan.used_bytes == len(good)


def test_nothing_is_taken_where_a_row_is_too_wide() -> None:
    assert fast_scan.scan_block(b"1,2\n1,2,3\n", FORM).used_bytes == 0


def test_a_block_may_begin_with_a_quote() -> None:
    assert fast_scan.scan_block(b'"1",2\n', FORM).used_bytes == 6
