"""Do checksums fit exactly the stored bytes, however many these are and however they arrived?"""

from __future__ import annotations

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.csv_files import blocks
from tasks_app.csv_files.blocks import Checksums, ChecksumWriter, RowCounter, pack, unpack

SMALL = 8
CONTENT = bytes(range(256)) * 2


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "FIRST_BLOCK_BYTES", SMALL)
    monkeypatch.setattr(blocks, "MAX_BLOCK_BYTES", 8 * SMALL)
    monkeypatch.setattr(blocks, "MAX_BLOCKS", 4)


def checksums_of(content: bytes, piece: int = 5) -> Checksums:
    writer = ChecksumWriter()
    for start in range(0, len(content), piece):
        writer.update(content[start : start + piece])
    return writer.close()


def test_the_checksums_are_computed_by_the_processor() -> None:
    assert google_crc32c.implementation == "c"


@pytest.mark.parametrize(
    ("size", "block_bytes", "count"),
    [(1, 8, 1), (8, 8, 1), (9, 8, 2), (31, 8, 4), (32, 16, 2), (33, 16, 3), (500, 64, 8)],
)
def test_blocks_grow_with_the_file_up_to_a_largest(size: int, block_bytes: int, count: int) -> None:
    checksums = checksums_of(CONTENT[:size])

    assert (checksums.block_bytes, len(checksums.values)) == (block_bytes, count)
    assert checksums.values[-1] == google_crc32c.value(CONTENT[:size])


@pytest.mark.parametrize("piece", [1, 7, 8, 64, 500])
def test_checksums_do_not_depend_on_how_the_bytes_came(piece: int) -> None:
    assert checksums_of(CONTENT, piece) == checksums_of(CONTENT)


@pytest.mark.parametrize("size", [1, 8, 9, 31, 32, 33, 500])
def test_each_block_fits_and_none_with_a_changed_byte_does(size: int) -> None:
    content = CONTENT[:size]
    checksums = checksums_of(content)
    unit = checksums.block_bytes

    for start in range(0, size, unit):
        block = content[start : start + unit]
        assert checksums.fit(block, start)
        assert not checksums.fit(bytes([block[0] ^ 1]) + block[1:], start)
        assert not checksums.fit(block[:-1], start)
    assert not checksums.fit(b"more", size + unit)


@given(
    lengths=st.lists(st.integers(2, 40), min_size=1, max_size=40),
    pieces=st.lists(st.integers(1, 9), min_size=1),
)
def test_every_row_is_counted_in_the_blocks_that_it_has_bytes_in(
    lengths: list[int], pieces: list[int]
) -> None:
    header = 5
    ends = [header + sum(lengths[: place + 1]) for place in range(len(lengths))]
    counter, place, offset = RowCounter(), 0, header
    while place < len(ends):
        taken = ends[place : place + pieces[place % len(pieces)]]
        counter.add([end - offset for end in taken], offset)
        place, offset = place + len(taken), taken[-1]
    checksums = checksums_of(b"x" * ends[-1])
    counts = counter.close(ends[-1])

    assert len(counts) == len(checksums.values)
    for number, (start, end) in enumerate(zip([header, *ends], ends, strict=False), 1):
        rows = blocks.rows_between(counts, checksums.block_bytes, start, end)
        assert number in rows
    assert counts[-1] == len(lengths)


def test_numbers_are_packed_and_unpacked() -> None:
    numbers = (0, 1, 2**32 - 1)

    assert unpack(pack(numbers, "I"), "I") == numbers
    assert len(pack(numbers, "Q")) == 24
