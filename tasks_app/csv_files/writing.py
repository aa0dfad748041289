"""How do cells, and records that came as JSON, become lines of a CSV file?"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from tasks_app.csv_files.escaping import escape_for_spreadsheets
from tasks_app.errors import CSVFormatError

__all__ = ["encode_row", "encode_rows", "escape_for_spreadsheets", "records_to_csv"]

LINE_END = "\r\n"  # never written: csv.writer quotes cells with a character of its line end
LONGEST_PLAIN_NUMBER = 40  # characters; 1e-300 would take three hundred, in each of a million cells
ROWS_AT_ONCE = 1_000
MOST_RECORD_CELLS = 20_000_000  # records with few keys in common would grow without bound


class _Lines(list[str]):
    """What csv.writer takes for a file; it writes once per row."""

    write = list.append


def encode_row(cells: Sequence[str]) -> bytes:
    """Return the line of one row, without line end; cells are quoted only where needed."""
    return encode_rows([cells])[0]


def encode_rows(rows: Iterable[Sequence[str]]) -> list[bytes]:
    r"""Return the line of each row, as `encode_row` does.

    The only cell of a row is `""` when it is empty, for a blank line is no row. A lone surrogate,
    which has no UTF-8, becomes `\udxxx`: no text can keep a batch from being written.
    """
    lines = _Lines()
    csv.writer(lines, lineterminator=LINE_END).writerows(rows)
    return [line[: -len(LINE_END)].encode(errors="backslashreplace") for line in lines]


def records_to_csv(records: Sequence[Any]) -> bytes:
    """Return the CSV that JSON records stand for: a header, and a row per record.

    The columns are the union of the keys in order of first appearance. Null, or no such key, is an
    empty cell. Raises CSVFormatError, with the row, where a record is not an object or has a value
    that no cell can hold; and when there are no records.
    """
    if not isinstance(records, list) or not records:
        raise CSVFormatError("`records` is not a list with at least one object")
    columns = _union_of_keys(records)
    if not columns:
        raise CSVFormatError("the records have no fields", row=1)
    if len(columns) * len(records) > MOST_RECORD_CELLS:
        raise CSVFormatError(f"the records have more cells than the limit of {MOST_RECORD_CELLS}")
    rows = (
        [_cell_text(record.get(name), number) for name in columns]
        for number, record in enumerate(records, start=1)
    )
    text = bytearray(encode_row(columns) + b"\n")
    while lines := encode_rows(islice(rows, ROWS_AT_ONCE)):  # each costs ten times its bytes
        text += b"\n".join(lines) + b"\n"
    return bytes(text)


def _union_of_keys(records: Sequence[Any]) -> list[str]:
    columns: dict[str, None] = {}  # keeps the order
    for number, record in enumerate(records, start=1):
        if not isinstance(record, Mapping):
            raise CSVFormatError("the record is not an object", row=number)
        for name in record:
            if name not in columns:
                columns[_written(name, number)] = None
    return list(columns)


def _cell_text(value: Any, number: int) -> str:
    """Return a JSON value as the text of a cell of row `number`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _written(value, number)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        plain = f"{Decimal(repr(value)):f}"  # what was sent as 0.00001 is not to become 1e-05
        return plain if len(plain) <= LONGEST_PLAIN_NUMBER else repr(value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise CSVFormatError(f"no cell can hold the value: {error}", row=number) from error
    return _written(text, number)


def _written(text: str, number: int) -> str:
    """Return `text` if it can be written as UTF-8."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            reason = f"half a surrogate pair, \\u{ord(text[error.start]):04x}, is not a character"
            raise CSVFormatError(reason, row=number) from error
    return text
