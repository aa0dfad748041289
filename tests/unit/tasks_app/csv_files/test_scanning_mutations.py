"""Do scanner, reader and the standard csv module still agree on damaged files?"""

from __future__ import annotations

import io

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.reading import RowReader
from tasks_app.csv_files.scanning import Scan
from tests.patience import many
from tests.unit.tasks_app.csv_files.files import SCRAPS, declared_columns, regular_files
from tests.unit.tasks_app.csv_files.reference import LIMITS, WAYS, first_fault, outcome, rows_of

OPTIONS = settings(
    max_examples=many(120), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TIGHT = ScanLimits(columns=40, cell_bytes=200, rows=300, row_bytes=900)
limits = st.sampled_from([LIMITS, LIMITS, TIGHT])
cut_sizes = st.lists(st.sampled_from([1, 2, 3, 7, 63, 64, 65, 500]), min_size=1, max_size=4)
LONGER_SCRAPS = [
    *SCRAPS, b"\xef\xbb", b"\xbf",
    b"\xf0\x9d\x84", b"\x9e", b"\xed\xa0\x80", b'",', b',"', b'\n"', b'"\r',
    b'"' * 65, b"," * 64, b"\r" * 3,
    b"x" * 201, b'"' + b"y" * 200, b"\n" * 70, '"é,\n'.encode() * 30,
]  # fmt: skip


@st.composite
def wide_files(draw: st.DrawFn) -> bytes:
    """A file of up to thousands of columns, most of them undeclared."""
    width = draw(st.sampled_from([2, 39, 40, 41, 999, 1000, 1001, 3000]))
    names = ["id", "number", *(f"c{number}" for number in range(width - 2))]
    row = ",".join(draw(st.sampled_from(["1", '"a"', "", '"x\ny"'])) for _ in range(2))
    rest = draw(st.sampled_from(["", "1", '""', "é"]))
    line = ",".join([row, *[rest] * (width - 2)])
    return "\n".join([",".join(names), *[line] * draw(st.integers(1, 4))]).encode()


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A file with pieces repeated, dropped, moved, or replaced by random bytes."""
    data = draw(st.one_of(*4 * [regular_files()], wide_files()))
    data += data[data.find(b"\n") + 1 :] * draw(st.sampled_from([0, 0, 3, 20]))
    for _ in range(draw(st.integers(0, 4))):
        first, second = sorted(draw(st.tuples(*2 * [st.integers(0, len(data))])))
        middle = data[first:second][:300]
        how = draw(st.sampled_from(["insert", "insert", "replace", "drop", "repeat", "swap"]))
        scrap = draw(st.sampled_from(LONGER_SCRAPS))
        changed = {
            "insert": scrap + middle,
            "replace": scrap,
            "drop": b"",
            "repeat": middle * 3,
            "swap": middle[len(middle) // 2 :] + middle[: len(middle) // 2],
        }[how]
        data = data[:first] + changed + data[first + len(middle) :]
    return data


@given(damaged_files(), declared_columns, limits, cut_sizes, st.sampled_from([1, 64, 700, 2**18]))
@OPTIONS
def test_the_first_fault_is_found_however_the_file_is_cut(
    data, columns, bounds, sizes, block_bytes
):
    fault = first_fault(data, bounds)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        fault = ("CSVFormatError", "UTF-16", None, 1, None, None)
    cut = {"sizes": sizes, "block_bytes": block_bytes}

    whole = outcome(data, columns, bounds)

    for way in WAYS:
        assert outcome(data, columns, bounds, way=way, **cut) == whole
    if fault is None:
        assert isinstance(whole, Scan) or whole[0] == "FieldErrors"
    else:
        assert whole[1].count(fault[1]) == 1
        assert (whole[0], *whole[2:]) == (fault[0], *fault[2:])


@given(damaged_files(), st.integers(1, 400), st.integers(1, 50))
@OPTIONS
def test_workers_read_the_rows_that_the_csv_module_reads(data, block_bytes, batch_rows):
    columns = dict.fromkeys(
        ["id", "number", "note", "wef", "é", *(f"c{n}" for n in range(998))], False
    )
    scan = outcome(data, columns)
    if not isinstance(scan, Scan):
        return
    file = io.BytesIO(data[scan.data_offset :])
    reader = RowReader(
        file,
        width=len(scan.header),
        offset=scan.data_offset,
        end_offset=None,
        block_bytes=block_bytes,
    )

    rows = []
    while batch := reader.take(batch_rows).cells:
        rows += batch

    assert rows == [cells for cells, _, _ in rows_of(data)][1:]
    assert len(rows) == scan.row_count
