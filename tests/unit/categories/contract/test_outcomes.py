from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from categories.contract.outcomes import WrittenRows

CELL = st.text(alphabet='a",\n\r é', max_size=6)


def write(rows: Sequence[Sequence[str]]) -> WrittenRows:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows(rows)
    return WrittenRows(text.getvalue().encode(), len(rows), seconds=0)


@pytest.mark.parametrize("last", [["a"], [""], ["x", 'say "yes"'], ["line\nend", "\n\n"], ['"']])
@pytest.mark.parametrize("before", [[], [["a", "b"]], [["line\nend", '"'], ['\n"\n', ""]]])
def test_the_last_row_is_found_from_the_end(before: list[list[str]], last: list[str]) -> None:
    assert write([*before, last]).last == tuple(last)


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=5))
def test_the_last_row_is_the_last_of_all(rows: list[list[str]]) -> None:
    written = write(rows)

    assert written.last == list(written)[-1]
