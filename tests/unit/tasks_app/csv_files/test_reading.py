"""Does a worker read the same rows as the scanner, from every place where it may begin?"""

from __future__ import annotations

import io
import itertools
import tracemalloc
from unittest import mock

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks_app.csv_files import boundaries, contents, reading
from tasks_app.csv_files.reading import Batch, RowReader
from tasks_app.csv_files.scanning import Scan
from tasks_app.errors import CSVFormatError
from tests.unit.tasks_app.csv_files.files import regular_files
from tests.unit.tasks_app.csv_files.reference import outcome, rows_of

MEBIBYTE = 2**20
ANY_NAME = dict.fromkeys(["id", "number", "note", "wef", " id", "ID", "é"], False)


class SlowFile(io.BytesIO):
    """A file whose reads return at most three bytes, as those of a socket may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 3))


def reader_of(
    data: bytes, width: int, offset: int = 0, end_offset: int | None = None, **options: int
) -> RowReader:
    file = io.BytesIO(data)
    file.seek(offset)
    return RowReader(file, width=width, offset=offset, end_offset=end_offset, **options)


def batches_of(reader: RowReader, count: int, **options: int) -> list[Batch]:
    batches = [reader.take(count, **options)]
    while not batches[-1].is_last:
        batches.append(reader.take(count, **options))
    return batches


def rows_in(batches: list[Batch]) -> list[tuple[list[str], bytes, int]]:
    return [
        row
        for batch in batches
        for row in zip(batch.cells, batch.lines, batch.end_offsets, strict=True)
    ]


# ---- properties --------------------------------------------------------------------------------


@given(regular_files(), st.integers(1, 5), st.integers(1, 80), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_the_reader_gives_the_rows_of_the_standard_csv_module_from_any_checkpoint(
    data: bytes, count: int, block_bytes: int, spacing: int
) -> None:
    with mock.patch.multiple(contents, FIRST_SPACING=spacing, MAX_CHECKPOINTS=4):
        scan = outcome(data, ANY_NAME)
    assume(isinstance(scan, Scan))
    expected = rows_of(data)[1:]

    for rows_before, offset in scan.checkpoints:
        reader = reader_of(data, len(scan.header), offset, block_bytes=block_bytes)
        batches = batches_of(reader, count)

        assert rows_in(batches) == expected[rows_before:]
        assert all(len(batch.lines) == count for batch in batches[:-1])
        assert batches[-1].lines


@given(regular_files(), st.integers(1, 80))
@settings(max_examples=150, deadline=None)
def test_between_two_checkpoints_the_reader_gives_the_rows_between_them(
    data: bytes, block_bytes: int
) -> None:
    with mock.patch.object(contents, "FIRST_SPACING", 2):
        scan = outcome(data, ANY_NAME)
    assume(isinstance(scan, Scan))
    expected = rows_of(data)[1:]

    places = [*scan.checkpoints, (scan.row_count, scan.size_bytes)]
    for (first, offset), (last, end_offset) in itertools.pairwise(places):
        reader = reader_of(data, len(scan.header), offset, end_offset, block_bytes=block_bytes)

        assert rows_in(batches_of(reader, 100)) == expected[first:last]


@given(regular_files(), st.integers(1, 80))
@settings(max_examples=150, deadline=None)
def test_the_reader_goes_on_behind_any_row(data: bytes, block_bytes: int) -> None:
    scan = outcome(data, ANY_NAME)
    assume(isinstance(scan, Scan))
    expected = rows_of(data)[1:]

    for number, (_, _, end_offset) in enumerate(expected, start=1):
        reader = reader_of(data, len(scan.header), end_offset, block_bytes=block_bytes)

        assert rows_in(batches_of(reader, 3)) == expected[number:]


# ---- taking ------------------------------------------------------------------------------------


def test_a_batch_has_the_raw_line_the_cells_and_the_place_behind_each_row() -> None:
    reader = reader_of(b'1,"2,5"\r\n\r\n3,4', width=2)

    batch = reader.take(5)

    assert batch.lines == [b'1,"2,5"', b"3,4"]
    assert batch.cells == [["1", "2,5"], ["3", "4"]]
    assert batch.end_offsets == [9, 14]
    assert batch.is_last


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n\r\n"])
@pytest.mark.parametrize("block_bytes", [1, 3, 1_000])
def test_the_last_batch_says_so_even_if_blank_lines_follow(end: bytes, block_bytes: int) -> None:
    reader = reader_of(b"1\n2\n3\n4" + end, width=1, block_bytes=block_bytes)

    assert [batch.is_last for batch in (reader.take(2), reader.take(2))] == [False, True]


def test_a_range_without_rows_is_one_empty_last_batch() -> None:
    batch = reader_of(b"\n\r\n", width=1).take(5)

    assert batch == Batch([], [], [], is_last=True)


def test_the_offset_is_the_place_behind_the_rows_that_were_taken() -> None:
    reader = reader_of(b"a\n1\n2\n3\n", width=1, offset=2)

    offsets = [reader.offset]
    reader.take(2)
    offsets.append(reader.offset)

    assert offsets == [2, 6]


def test_a_batch_takes_no_more_bytes_than_wanted_but_one_row_at_least() -> None:
    reader = reader_of(b"12345678\n1\n2\n3\n", width=1, block_bytes=4)

    batches = batches_of(reader, 100, max_bytes=5)

    assert [batch.lines for batch in batches] == [[b"12345678"], [b"1", b"2"], [b"3"]]


def test_one_row_that_is_too_long_for_a_batch_can_be_the_last() -> None:
    reader = reader_of(b"12345678\n", width=1)

    assert reader.take(100, max_bytes=5).is_last


def test_nothing_behind_the_end_offset_is_read() -> None:
    file = io.BytesIO(b"1\n2\n3\n")

    RowReader(file, width=1, offset=0, end_offset=4).take(10)

    assert file.tell() == 4


def test_short_reads_are_not_the_end() -> None:
    reader = RowReader(SlowFile(b"12345,6\n7,8\n"), width=2, offset=0, end_offset=None)

    assert reader.take(10).cells == [["12345", "6"], ["7", "8"]]


def test_closing_the_reader_closes_the_file() -> None:
    file = io.BytesIO(b"1\n")

    RowReader(file, width=1, offset=0, end_offset=None).close()

    assert file.closed


def test_a_row_many_blocks_long_is_read_and_not_parsed_again_with_each() -> None:
    cell = 2_000 * "x\n"
    reader = reader_of(f'1\n"{cell}"\n2\n'.encode(), width=1, block_bytes=16)

    with mock.patch.object(reading, "rows_in", side_effect=boundaries.rows_in) as parse:
        batch = reader.take(10)

    assert batch.cells == [["1"], [cell], ["2"]]
    assert parse.call_count < 20


def test_memory_does_not_grow_with_the_file() -> None:
    def peak_bytes(row_count: int) -> int:
        reader = reader_of(row_count * b'1,"two, three",4\n', width=3)
        tracemalloc.start()
        try:
            while not reader.take(500).is_last:
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_bytes(60_000) < peak_bytes(20_000) + 0.5 * MEBIBYTE


# ---- another file than the one that was scanned -----------------------------------------------

OTHER_FILES = {
    "wider": (b"1,2,3\n", None, "cells of the header"),
    "narrower": (b'"1"\n', None, "cells of the header"),
    "quote never closed": (b'1,"2\n', None, "no row begins at byte 0"),
    "text after a quote": (b'1,2\n1,"2"x\n1,2\n', None, "no row begins at byte 4"),
    "not UTF-8": (b"1,\xff\n", None, "UTF-8"),
    "quoted, not UTF-8": (b'1,"\xff"\n', None, "no row begins at byte 0"),
    "shorter": (b"1,2\n", 8, "it ends at byte 4"),
    "empty": (b"", 8, "it ends at byte 0"),
}


@pytest.mark.parametrize("case", OTHER_FILES.values(), ids=OTHER_FILES.keys())
def test_a_file_that_was_not_scanned_is_refused(case: tuple[bytes, int | None, str]) -> None:
    data, end_offset, words = case
    reader = reader_of(data, width=2, end_offset=end_offset)

    with pytest.raises(CSVFormatError, match=f"not the file that was scanned.*{words}"):
        reader.take(10)
