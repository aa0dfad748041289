"""Do the compiled scan, the plain scan and the standard csv module agree on any file?"""

from __future__ import annotations

from unittest import mock

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks_app.csv_files import contents
from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.scanning import Scan
from tests.patience import many
from tests.unit.tasks_app.csv_files.files import (
    any_files,
    block_sizes,
    declared_columns,
    regular_files,
)
from tests.unit.tasks_app.csv_files.reference import (
    LIMITS,
    WAYS,
    first_fault,
    outcome,
    rows_of,
    with_compiler,
)

small_limits = st.builds(
    ScanLimits,
    columns=st.integers(1, 5),
    cell_bytes=st.integers(1, 12),
    rows=st.integers(1, 6),
    row_bytes=st.integers(5, 40),
)
any_way = st.sampled_from(sorted(WAYS))
any_limits = st.one_of(*3 * [st.just(LIMITS)], small_limits)


@given(any_files, declared_columns, any_limits, any_way)
@settings(max_examples=many(250), deadline=None)
def test_a_fault_of_form_is_the_first_one_in_the_file(data, columns, limits, way):
    fault = first_fault(data, limits)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        fault = ("CSVFormatError", "UTF-16", None, 1, None, None)

    found = outcome(data, columns, limits, way=way)

    if fault is None:
        assert isinstance(found, Scan) or found[0] == "FieldErrors"
    else:
        assert found[1].count(fault[1]) == 1
        assert (found[0], *found[2:]) == (fault[0], *fault[2:])


@given(regular_files(), declared_columns, any_way)
@settings(max_examples=many(250), deadline=None)
def test_a_good_file_has_the_rows_that_the_standard_csv_module_finds(data, columns, way):
    found = outcome(data, columns, way=way)
    assume(not isinstance(found, tuple) or found[0] != "CSVFormatError")
    (names, header_line, data_offset), *rows = rows_of(data)
    mandatory = [place for place, name in enumerate(names) if columns.get(name)]
    lacking = [
        raw.decode() for cells, raw, _ in rows if any(not cells[i].strip(" \t") for i in mandatory)
    ]
    unknown = [name for name in names if name not in columns]
    missing = [name for name, needed in columns.items() if needed and name not in names]

    if unknown or missing or lacking:
        assert found == ("FieldErrors", unknown, missing, lacking, len(lacking))
    else:
        assert found == Scan(
            header=tuple(names),
            header_line=header_line,
            data_offset=data_offset,
            row_count=len(rows),
            size_bytes=len(data),
            checkpoints=[(0, data_offset)],
            block_rows=[len(rows)],
        )


@given(any_files, declared_columns, any_limits, block_sizes, st.integers(1, 60), any_way)
@settings(max_examples=many(250), deadline=None)
def test_the_outcome_does_not_depend_on_how_the_file_is_cut(
    data, columns, limits, sizes, block_bytes, way
):
    whole = outcome(data, columns, limits)

    cut = outcome(data, columns, limits, sizes=sizes, block_bytes=block_bytes, way=way)

    assert cut == whole


@with_compiler
@given(
    any_files, declared_columns, any_limits, block_sizes, st.integers(1, 300), st.integers(8, 200)
)
@settings(max_examples=many(250), deadline=None)
def test_the_compiled_way_agrees_with_the_plain_one_wherever_they_take_turns(
    data, columns, limits, sizes, block_bytes, most_bytes
):
    with (
        mock.patch.multiple(contents, MAX_FAST_BYTES=most_bytes, MIN_PLAIN_BYTES=8),
        mock.patch.multiple(contents, FIRST_SPACING=1, MAX_CHECKPOINTS=4),
    ):
        plain = outcome(data * 3, columns, limits)
        cut = {"sizes": sizes, "block_bytes": block_bytes}
        compiled = outcome(data * 3, columns, limits, way="compiled", **cut)

    assert compiled == plain
