"""Does the scanner accept valid CSV, and report the fault and its place otherwise?"""

from __future__ import annotations

import itertools
import re
import tracemalloc
from collections.abc import Callable
from typing import NamedTuple
from unittest import mock

import pytest

from tasks_app.csv_files import contents
from tasks_app.csv_files.contents import Contents
from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.scanning import Scanner
from tasks_app.errors import CSVFormatError, FieldErrors
from tests.unit.tasks_app.csv_files.reference import LIMITS, every_way, feed, outcome, rows_of

MEBIBYTE = 2**20
ABC = {"a": False, "b": False, "c": False}
MESSAGE = "Empty CSV or some row(s) longer than others or header missing"

# name: (file, its data rows)
GOOD = {
    "plain": (b"a,b,c\n1,2,3\n4,5,6\n", [["1", "2", "3"], ["4", "5", "6"]]),
    "no final line end": (b"a,b,c\n1,2,3", [["1", "2", "3"]]),
    "carriage return and line feed": (b"a,b,c\r\n1,2,3\r\n", [["1", "2", "3"]]),
    "lone carriage returns": (b"a,b,c\r1,2,3\r4,5,6", [["1", "2", "3"], ["4", "5", "6"]]),
    "mixed line ends": (b"a,b\n1,2\r\n3,4\r5,6", [["1", "2"], ["3", "4"], ["5", "6"]]),
    "byte order mark": (b"\xef\xbb\xbfa,b\n1,2\n", [["1", "2"]]),
    "byte order mark and quoted header": (b'\xef\xbb\xbf"a","b"\n1,2\n', [["1", "2"]]),
    "byte order mark later on": (b"a\n\xef\xbb\xbf\n", [["\ufeff"]]),
    "quoted comma": (b'a,b\n"1,5",2\n', [["1,5", "2"]]),
    "quoted line feed": (b'a,b\n"1\n5",2\n', [["1\n5", "2"]]),
    "quoted carriage return and line feed": (b'a,b\r\n"1\r\n5",2\r\n', [["1\r\n5", "2"]]),
    "quoted lone carriage return": (b'a,b\n"1\r5",2\n', [["1\r5", "2"]]),
    "doubled quotes": (b'a,b\n"say ""hi""",2\n', [['say "hi"', "2"]]),
    "cell of one quote": (b'a,b\n"""",2\n', [['"', "2"]]),
    "quote inside an unquoted cell": (b'a,b\n5" pipe,2\n', [['5" pipe', "2"]]),
    "blank before a quote": (b'a,b\n "x",2\n', [[' "x"', "2"]]),
    "backslash before a quote": (b'a,b\n"x\\",2\n', [["x\\", "2"]]),
    "blank line in the middle": (b"a,b\n1,2\n\n3,4\n", [["1", "2"], ["3", "4"]]),
    "blank lines at the end": (b"a,b\n1,2\n\n\r\n\r\n", [["1", "2"]]),
    "blank lines before the header": (b"\n\r\n\ra,b\n1,2\n", [["1", "2"]]),
    "row of commas": (b"a,b\n,\n", [["", ""]]),
    "quoted empty cells": (b'a,b\n"",""\n', [["", ""]]),
    "long cell": (b"a,b\n" + 700_000 * b"x" + b",2\n", [[700_000 * "x", "2"]]),
    "long quoted cell": (b'a,b\n"' + 350_000 * b"x\n" + b'",2\n', [[350_000 * "x\n", "2"]]),
    "formulas": (b"a,b\n=1+1,+1415\n-2,@x\n", [["=1+1", "+1415"], ["-2", "@x"]]),
    "other line separators": (
        "a,b\n1\u2028\v\f\x85\x1c,2\n".encode(),
        [["1\u2028\v\f\x85\x1c", "2"]],
    ),
    "outer blanks": (b"a,b\n 1 ,\t2\n", [[" 1 ", "\t2"]]),
    "no guess of types": (b"a,b\n007,1e5\n", [["007", "1e5"]]),
    "hash is no comment": (b"a,b\n#1,2\n", [["#1", "2"]]),
    "control-Z at the end": (b"a\n1\n\x1a", [["1"], ["\x1a"]]),
    "one column, empty row": (b'a\n""\n\n1\n', [[""], ["1"]]),
    "one column, row of blanks": (b"a\n \n", [[" "]]),
    "header over two lines": (b'"a","b"\n1,2\n', [["1", "2"]]),
}


# name: (file, words of the reason, row, line, expected, got)
class Bad(NamedTuple):
    """A file, some words of the reason, and the attributes of the error."""

    data: bytes
    words: str
    row: int | None = None
    line: int | None = None
    expected: int | None = None
    got: int | None = None
    limits: ScanLimits = LIMITS


BAD = {
    "empty file": Bad(b"", "there is no header"),
    "byte order mark only": Bad(b"\xef\xbb\xbf", "there is no header"),
    "blank lines only": Bad(b"\n\r\n\r", "there is no header"),
    "header only": Bad(b"a,b\n", "no row after the header"),
    "header without line end": Bad(b"a,b", "no row after the header"),
    "header and blank lines": Bad(b"a,b\n\n\n", "no row after the header"),
    "empty name": Bad(b"a,,b\n1,2,3\n", "no name for column 2", None, 1),
    "blank name": Bad(b"\na,b,\t \n1,2,3\n", "no name for column 3", None, 2),
    "repeated name": Bad(b"a,b,a\n1,2,3\n", "the name 'a' more than once", None, 1),
    "trailing comma": Bad(b"a,b\n1,2\n1,2,\n", "longer than the header", 2, 3, 2, 3),
    "long row": Bad(b"a,b\n1,2,3,4\n", "longer than the header", 1, 2, 2, 4),
    "short row": Bad(b"a,b\n\n1,2\n\n1\n", "shorter than the header", 2, 5, 2, 1),
    "short row without line end": Bad(b"a,b\n1,2\n1", "shorter than the header", 2, 3, 2, 1),
    "row behind a quoted line end": Bad(b'a,b\n"1\n2",2\n1\n', "shorter", 2, 4, 2, 1),
    "blank cells only in a short row": Bad(b"a,b\n \n", "shorter than the header", 1, 2, 2, 1),
    "text after a closing quote": Bad(b'a,b\n1,"2"x\n', "after the closing quote of cell 2", 1, 2),
    "text after a quote over lines": Bad(b'a,b\n1,"2\n3"x\n', "after the closing quote", 1, 3),
    "quote never closed": Bad(b'a,b\n1,2\n3,"4\n5,6\n', "opens cell 2 is never closed", 2, 3),
    "header never closed": Bad(b'a,"b\n1,2\n', "opens cell 2 is never closed", None, 1),
    "a quote at the end": Bad(b'a\n"', "opens cell 1 is never closed", 1, 2),
    "NUL": Bad(b"a,b\n1,\x002\n", "a NUL byte at byte offset 6", 1, 2),
    "NUL in the header": Bad(b"a,\x00b\n1,2\n", "a NUL byte at byte offset 2", None, 1),
    "invalid UTF-8": Bad(b"a\n\n1\n\xff\n", "byte 0xff at byte offset 5", 2, 4),
    "invalid UTF-8 behind a mark": Bad(b"\xef\xbb\xbfa\n\xff\n", "0xff at byte offset 5", 1, 2),
    "Latin-1": Bad("a\ncafé\n".encode("latin-1"), "byte 0xe9 at byte offset 5", 1, 2),
    "character cut off at the end": Bad(b"a\n\xe2\x82", "byte 0xe2 at byte offset 2", 1, 2),
    "UTF-16, little end": Bad("a\n1\n".encode("utf-16"), "UTF-16", None, 1),
    "UTF-16, big end": Bad(b"\xfe\xff" + "a\n".encode("utf-16-be"), "UTF-16", None, 1),
    "UTF-16 without mark": Bad("a\n1\n".encode("utf-16-le"), "a NUL byte", None, 1),
}


@every_way
@pytest.mark.parametrize(("data", "rows"), GOOD.values(), ids=GOOD.keys())
def test_a_good_file_is_taken_row_by_row(data: bytes, rows: list[list[str]], way: str) -> None:
    found = outcome(data, ABC, way=way)

    assert [cells for cells, _, _ in rows_of(data)[1:]] == rows
    assert found.row_count == len(rows)
    assert found.header == tuple(ABC)[: len(rows[0])]
    assert found.data_offset == rows_of(data)[0][2]
    assert found.size_bytes == len(data)


@every_way
@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_fault_of_form_is_named_with_its_place(case: Bad, way: str) -> None:
    kind, reason, *place = outcome(case.data, ABC, way=way)

    assert kind == "CSVFormatError"
    assert case.words in reason
    assert place == [case.row, case.line, case.expected, case.got]


def test_the_header_line_is_kept_without_byte_order_mark_and_line_end() -> None:
    found = outcome(b'\xef\xbb\xbf\r\n"a",b\r\n1,2', ABC)

    assert found.header_line == b'"a",b'
    assert found.data_offset == 12


def test_a_format_fault_is_raised_by_feed_and_not_only_at_the_end() -> None:
    scanner = Scanner(ABC, LIMITS)

    with pytest.raises(CSVFormatError, match=f"{re.escape(MESSAGE)}: the row is longer"):
        scanner.feed(b"a,b\n1,2,3\n" + MEBIBYTE * b"x")


# ---- limits ------------------------------------------------------------------------------------


def limits(**changes: int) -> ScanLimits:
    return ScanLimits(**{"columns": 1_000, "cell_bytes": MEBIBYTE, "rows": 50_000_000} | changes)


LIMITED = {
    "columns": Bad(
        b"a,b,c\n1,2,3\n", "header has more columns", None, 1, 2, None, limits(columns=2)
    ),
    "cell": Bad(b"a,b\n1,123456\n", "cell 2 is longer", 1, 2, 5, None, limits(cell_bytes=5)),
    "quoted cell": Bad(b'a,b\n1,"1234"\n', "cell 2 is", 1, 2, 5, None, limits(cell_bytes=5)),
    "name": Bad(b"abcdef\n1\n", "cell 1 is longer", None, 1, 5, None, limits(cell_bytes=5)),
    "rows": Bad(b"a\n1\n\n2\n\n3\n4\n", "more rows", 3, 6, 2, None, limits(rows=2)),
    "row": Bad(
        b"a,b\n12,34\n", "the row is longer", 1, 2, 4, None, limits(cell_bytes=3, row_bytes=4)
    ),
    "file": Bad(b"a\n1\n2\n3\n", "the file is larger", None, None, 7, None, limits(file_bytes=7)),
}


@every_way
@pytest.mark.parametrize("case", LIMITED.values(), ids=LIMITED.keys())
def test_past_a_limit_the_error_names_it_and_its_value(case: Bad, way: str) -> None:
    kind, reason, *place = outcome(case.data, ABC, case.limits, way=way)

    assert kind == "CSVFormatError"
    assert case.words in reason
    assert f"than the limit of {case.expected}" in reason
    assert place == [case.row, case.line, case.expected, None]


@every_way
def test_at_a_limit_a_file_is_good(way: str) -> None:
    limit = limits(columns=2, cell_bytes=4, rows=2, row_bytes=6, file_bytes=18)

    found = outcome(b'a,b\n1,"34"\n1,3456\n', ABC, limit, way=way)

    assert found.row_count == 2


@every_way
def test_five_thousand_columns_pass_if_the_limit_allows_it(way: str) -> None:
    columns = {f"column_{number}": True for number in range(5_000)}
    data = ",".join(columns).encode() + b"\n" + b",".join(5_000 * [b"1"]) + b"\n"

    found = outcome(data, columns, limits(columns=5_000), way=way)

    assert found.header == tuple(columns)


# ---- fields ------------------------------------------------------------------------------------

NUMBERS = {"number": True, "account_id": True, "note": False}


@every_way
def test_unknown_and_missing_fields_and_values_are_reported_together(way: str) -> None:
    data = b"wef,number,wuf\n1,+1,2\n3,,4\n"

    found = outcome(data, NUMBERS, way=way)

    assert found == ("FieldErrors", ["wef", "wuf"], ["account_id"], ["3,,4"], 1)


@every_way
def test_rows_without_a_mandatory_value_stand_as_they_are_in_the_file(way: str) -> None:
    data = (
        b"account_id,number,note\r\n,+14157215234,\r\n009afc,,\r\nset,set,\r\n"
        b'"",1,x\r\n" \t",1,x\r\n \t,1,x\r\n\r\n1, ,"a\nb"\r\n1,"", \r\n,,\r\n'
    )

    found = outcome(data, NUMBERS, way=way)

    assert found[3:] == (
        [
            ",+14157215234,",
            "009afc,,",
            '"",1,x',
            '" \t",1,x',
            " \t,1,x",
            '1, ,"a\nb"',
            '1,"", ',
            ",,",
        ],
        8,
    )


@every_way
@pytest.mark.parametrize("cell", ["\xa0", "\u3000", "\v", "\f", '"\n"', '","', '""""', "0"])
def test_only_empty_cells_and_spaces_and_tabs_are_unset(cell: str, way: str) -> None:
    data = f"number,account_id\n{cell},1\n1,{cell}\n".encode()

    assert outcome(data, NUMBERS, way=way).row_count == 2


@every_way
def test_a_hundred_rows_without_a_value_are_kept_and_all_are_counted(way: str) -> None:
    data = b"number,account_id\n" + b"".join(b"%d,\n" % number for number in range(30_000))

    _, _, _, rows, count = outcome(data, NUMBERS, way=way, block_bytes=300)

    assert rows == [f"{number}," for number in range(100)]
    assert count == 30_000


def test_kept_rows_take_a_mebibyte_at_most() -> None:
    row = 300_000 * b"x" + b",\n"

    _, _, _, rows, count = outcome(b"number,account_id\n" + 9 * row, NUMBERS)

    assert (len(rows), count) == (3, 9)


def test_the_error_guesses_names_that_differ_in_case_or_spaces() -> None:
    scanner = Scanner(NUMBERS, LIMITS)
    scanner.feed(b" Number,Account ID,wef\n1,2,3\n")

    with pytest.raises(FieldErrors) as caught:
        scanner.close()

    assert caught.value.did_you_mean == {" Number": "number", "Account ID": "account_id"}


@every_way
def test_a_format_fault_wins_over_field_faults(way: str) -> None:
    found = outcome(b"wef\n1\n1,2\n", NUMBERS, way=way)

    assert found[0] == "CSVFormatError"


@every_way
@pytest.mark.parametrize("size", [1_000, 65_536, 10 * MEBIBYTE])
def test_after_a_field_fault_one_mebibyte_more_is_scanned(size: int, way: str) -> None:
    rows = b"".join(b"x,%07d\n" % number for number in range(300_000))
    late_fault = b"x\n"

    found = outcome(b"wef,number\n" + rows + late_fault, NUMBERS, sizes=[size], way=way)

    assert found == ("FieldErrors", ["wef"], ["account_id"], [], 0)


@every_way
@pytest.mark.parametrize("size", [1_000, 10 * MEBIBYTE])
def test_blank_lines_count_for_that_mebibyte_too(size: int, way: str) -> None:
    data = b"wef\nx\n" + (MEBIBYTE + 100) * b"\n" + 1_000 * b"1,2\n"

    found = outcome(data, NUMBERS, sizes=[size], way=way)

    assert found[:3] == ("FieldErrors", ["wef"], ["number", "account_id"])


@every_way
@pytest.mark.parametrize(
    ("short_row", "kind"), [(b"xxx\n", "CSVFormatError"), (b"xxxx\n", "FieldErrors")]
)
def test_a_format_fault_is_found_up_to_the_last_byte_of_that_mebibyte(
    short_row: bytes, kind: str, way: str
) -> None:
    rows = (MEBIBYTE // 4 - 1) * b"x,1\n"

    found = outcome(b"wef,number\n" + rows + short_row + rows, NUMBERS, way=way)

    assert found[0] == kind


# ---- checkpoints -------------------------------------------------------------------------------


@every_way
def test_checkpoints_stand_every_hundred_rows_behind_the_row_before(way: str) -> None:
    data = b"a\r\n" + b"".join(b"%d\r\n\r\n" % number for number in range(250))

    found = outcome(data, ABC, way=way)

    ends = [end for _, _, end in rows_of(data)]
    assert found.checkpoints == [(0, 3), (100, ends[100]), (200, ends[200])]


def test_there_is_no_checkpoint_behind_the_last_row() -> None:
    found = outcome(b"a\n" + 200 * b"1\n", ABC)

    assert [rows for rows, _ in found.checkpoints] == [0, 100]


def test_past_two_thousand_checkpoints_every_other_one_goes() -> None:
    found = outcome(b"a\n" + 500_000 * b"1\n", ABC)

    assert len(found.checkpoints) <= contents.MAX_CHECKPOINTS
    assert found.checkpoints == [(rows, 2 + 2 * rows) for rows in range(0, 500_000, 400)]


# ---- memory ------------------------------------------------------------------------------------


def peak_bytes(scan: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        scan()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_file() -> None:
    def scan(block_count: int) -> None:
        block = 2_000 * b'1,"two, three",4\n'
        feed(Scanner(ABC, LIMITS), itertools.chain([b"a,b,c\n"], block_count * [block]))

    assert peak_bytes(lambda: scan(600)) < peak_bytes(lambda: scan(60)) + 0.5 * MEBIBYTE


@pytest.mark.parametrize("filler", [b"x", b"\n", b"a,\r\n"])
def test_a_quote_that_is_never_closed_is_noticed_within_a_cells_limit(filler: bytes) -> None:
    block = 65_536 // len(filler) * filler
    blocks = itertools.chain([b'a\n1\n"'], itertools.repeat(block, 1_000))

    def scan() -> None:
        with pytest.raises(CSVFormatError, match="cell 1 is longer than the limit"):
            feed(Scanner(ABC, LIMITS), blocks)

    assert peak_bytes(scan) < 16 * MEBIBYTE
    assert len(list(blocks)) > 900


def test_a_long_row_is_not_looked_at_again_with_every_block() -> None:
    data = b'a\n"' + 2_000 * b"x\n" + b'"\n'

    with mock.patch.object(Contents, "scan", autospec=True, side_effect=Contents.scan) as scan:
        found = outcome(data, ABC, sizes=[16], block_bytes=16)

    assert found.row_count == 1
    assert scan.call_count < 20
