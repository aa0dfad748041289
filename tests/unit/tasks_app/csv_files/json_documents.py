"""Valid and invalid JSON bodies for tests, and their conversion in plain Python."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tasks_app.csv_files.records import RecordRules, convert
from tasks_app.errors import PistonError

RULES = RecordRules(takes_input=True, most_columns=1_000, most_absent_cells=1_000)
Answer = tuple[Any, ...]


class Dripping(io.BytesIO):
    """A source that returns at most this many bytes at once."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self.size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.size)


def answer(text: bytes, *, block_bytes: int = 2**20, rules: RecordRules = RULES) -> Answer:
    """Return the result for a body: the CSV and its head, or the refusal."""
    try:
        head, blocks = convert(Dripping(text, block_bytes), io.BytesIO(), rules)
    except PistonError as error:
        return type(error).__name__, vars(error)
    return b"".join(blocks), head


def csv_of(records: object) -> bytes:
    """Return the CSV of records that were not JSON text before."""
    content, _ = answer(json.dumps({"data": {"records": records}}).encode())
    assert isinstance(content, bytes), content
    return content


def expected_rows(text: bytes) -> list[dict[str, str]] | None:
    """Return the rows of a body, computed in the simplest way; None if it is refused."""
    try:
        records = json.loads(text.decode("utf-8-sig"), parse_constant=int)["data"]["records"]
        assert isinstance(records, list)
        assert any(records)
        return [
            {name.encode().decode(): expected_cell(value) for name, value in record.items()}
            for record in records
        ]
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError):
        return None


def expected_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        plain = f"{Decimal(str(value)):f}"
        json.dumps(value, allow_nan=False)
        return plain if len(plain) <= 40 else str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode().decode()


def rows_of(content: bytes) -> list[dict[str, str]]:
    """Return the cells of a CSV that are not empty, by column."""
    rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return [{name: cell for name, cell in row.items() if cell} for row in rows]


# ---- documents -----------------------------------------------------------------------------------

texts = st.text(st.sampled_from('ab",\\\n é\u2028😀/{}[]:\ud83d'), max_size=5)
numbers = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.00001, 1e20, -2.5e-7, 1e-300, 10**30, -0.0]),
)
scalars = st.one_of(texts, numbers, st.booleans(), st.none())
values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(texts, below, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["a", "b", "c", "é", "d,e"])
records = st.lists(st.dictionaries(names, values, max_size=4), max_size=6)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Bodies, most of them good, written in one of the ways that JSON can be written."""
    inside: list[tuple[str, Any]] = [("records", draw(st.one_of(*5 * [records], values)))]
    if draw(st.booleans()):
        inside.insert(draw(st.integers(0, 1)), ("file_name", draw(st.one_of(texts, scalars))))
    if draw(st.booleans()):
        inside.insert(0, (draw(texts), draw(values)))
    document = {"x": draw(values), "data": dict(inside)} if draw(st.booleans()) else {}
    document |= {"data": dict(inside)}
    text = json.dumps(
        document,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
    )
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf", b" \n"])) + text.encode(
        errors="backslashreplace"
    )


@st.composite
def broken_documents(draw: st.DrawFn) -> bytes:
    """Bodies with some bytes missing, added or replaced."""
    text = draw(documents())
    place = draw(st.integers(0, len(text)))
    width = draw(st.integers(0, 3))
    odd = draw(st.sampled_from([b"", b",", b"]", b"}", b'"', b"\\", b"\xff", b"1.", b"NaN", b"-"]))
    return text[:place] + odd + text[place + width :]
