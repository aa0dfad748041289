"""Converts the records of a JSON body to CSV, in memory that does not grow with the body.

The header is the union of all keys, known only after the last record. Until then the rows wait in
a temporary file, each as wide as the header was at that time.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

from tasks_app.csv_files.converting import BLOCK_BYTES, Converted, serve
from tasks_app.csv_files.json_text import JSONText
from tasks_app.csv_files.writing import LINE_END, Lines
from tasks_app.errors import CSVFormatError, FaultyDocument, InvalidJSON, UnexpectedContent

if TYPE_CHECKING:  # a converter starts faster without the platform
    from piston.readable import Readable

MAX_PLAIN_NUMBER_LENGTH = 40  # characters; 1e-300 would take 300 in each of a million cells
MAX_RAW_FILE_NAME_LENGTH = 2_000  # characters in the head; the web process allows fewer
PENDING_CHARACTERS = 256 * 1024  # of rows that are written together
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
ROW_END = b"\xff\n"  # in the temporary file; no UTF-8 has this byte


@dataclass(frozen=True)
class RecordRules:
    """The limits of records. Absent cells are limited because they cost nothing in JSON."""

    takes_input: bool
    most_columns: int
    most_absent_cells: int


def convert(source: Readable, spool: IO[bytes], rules: RecordRules) -> Converted:
    """Return the CSV for a body `{"data": {"records": [...], "file_name": "..."}}`.

    Raises the first fault in document order: InvalidJSON, FaultyDocument, UnexpectedContent, or
    CSVFormatError with its row.
    """
    document = _read_document(JSONText(source), spool, rules)
    head = {"file_name": document.file_name, "has_records": document.rows is not None}
    return Converted(head, document.rows.blocks() if document.rows else iter(()))


class TooManyAbsentCells(CSVFormatError):
    """The records leave out more cells than their limit."""

    def __init__(self, limit: int, row: int) -> None:
        reason = f"the records leave out more cells than the limit of {limit}"
        super().__init__(reason, row=row, expected=limit)


class Rows:
    """The rows that records become."""

    def __init__(self, spool: IO[bytes], rules: RecordRules) -> None:
        self._spool = spool
        self._spool.seek(0)
        self._spool.truncate()
        self._rules = rules
        self._places: dict[str, int] = {}  # of the columns
        self._count = 0
        self._absent_cells = 0
        self._pending = Lines()
        self._pending_characters = 0
        self._writer = csv.writer(self._pending, lineterminator=LINE_END)
        self._widths: list[tuple[int, int]] = []  # (byte of the spool, width of the rows before it)

    def add(self, record: Any) -> None:
        """Add the row of the next record. A null or absent value is an empty cell."""
        self._count += 1
        if not isinstance(record, dict):
            raise CSVFormatError("the record is not an object", row=self._count)
        places = self._places
        if not record.keys() <= places.keys():
            self._widen([name for name in record if name not in places])
        self._absent_cells += len(places) - len(record)
        if self._absent_cells > self._rules.most_absent_cells:
            raise TooManyAbsentCells(self._rules.most_absent_cells, self._count)
        cells = [""] * self._width
        for name, value in record.items():
            is_plain = type(value) is str and value.isascii()
            cells[places[name]] = value if is_plain else _cell_text(value, self._count)
        self._writer.writerow(cells)
        self._pending_characters += len(self._pending[-1])
        if self._pending_characters > PENDING_CHARACTERS:
            self._write_pending()

    def end(self) -> None:
        """Finish; raise CSVFormatError if there are no rows or no columns."""
        if not self._count:
            raise CSVFormatError("`records` is not a list with at least one object")
        if not self._places:
            raise CSVFormatError("the records have no fields", row=1)
        self._write_pending()
        self._widths.append((self._spool.tell(), self._width))

    def blocks(self) -> Iterator[bytes]:
        """Yield the CSV: the header, then the rows, with the narrower ones padded."""
        self._writer.writerow(self._places)
        yield self._pending.pop()[: -len(LINE_END)].encode() + b"\n"
        self._spool.seek(0)
        begin = 0
        for end, width in self._widths:
            line_end = b"," * (self._width - width) + b"\n"
            while begin < end:
                block = self._spool.read(min(BLOCK_BYTES, end - begin))
                if block.endswith(ROW_END[:1]):
                    block += self._spool.read(1)
                begin += len(block)
                yield block.replace(ROW_END, line_end)

    @property
    def _width(self) -> int:
        """The width of a row, at least one cell: a row without cells would be a blank line."""
        return max(1, len(self._places))

    def _widen(self, names: list[str]) -> None:
        """Add columns, which all earlier rows lack."""
        self._write_pending()
        self._widths.append((self._spool.tell(), self._width))
        for name in names:
            self._places[_written(name, self._count)] = len(self._places)
        self._absent_cells += (self._count - 1) * len(names)
        limit = self._rules.most_columns
        if len(self._places) > limit:
            reason = f"the header has more columns than the limit of {limit}"
            raise CSVFormatError(reason, row=self._count, expected=limit)

    def _write_pending(self) -> None:
        for start in range(0, len(self._pending), 1_000):
            lines = self._pending[start : start + 1_000]
            text = b"".join(line[: -len(LINE_END)].encode() + ROW_END for line in lines)
            self._spool.write(text)
        self._pending.clear()
        self._pending_characters = 0


class _Document:
    """The content of a body so far; of a repeated key, the last one counts."""

    file_name: str | None = None
    rows: Rows | None = None
    has_data = False
    is_faulty = False


def _read_document(text: JSONText, spool: IO[bytes], rules: RecordRules) -> _Document:
    """Read the whole body; an empty one is an empty object."""
    document = _Document()
    first = text.peek()
    if first not in {"", "{"}:
        text.value()
        raise InvalidJSON("the body has to be a JSON object")
    has_records_outside = False
    for name in text.members() if first else ():
        if name == "data":
            document = _read_data(text, spool, rules)
        else:
            has_records_outside |= name == "records"
            text.value()
    text.end()
    if document.is_faulty or (has_records_outside and not document.has_data):
        raise FaultyDocument('the body has to be {"data": {"records": [...]}}')
    return document


def _read_data(text: JSONText, spool: IO[bytes], rules: RecordRules) -> _Document:
    document = _Document()
    if text.peek() != "{":
        document.is_faulty = text.value() is not None
        return document
    document.has_data = True
    for name in text.members():
        if name == "records":
            document.rows = _read_records(text, spool, rules)
        elif name == "file_name":
            document.file_name = _read_file_name(text.value())
        else:
            text.value()
    return document


def _read_records(text: JSONText, spool: IO[bytes], rules: RecordRules) -> Rows | None:
    if text.peek() == "n" and text.value() is None:
        return None
    if not rules.takes_input:
        raise UnexpectedContent("none")
    rows = Rows(spool, rules)
    if text.peek() == "[":
        for record in text.elements():
            rows.add(record)
    else:
        text.value()
    rows.end()
    return rows


def _read_file_name(value: Any) -> str | None:
    if not isinstance(value, str | None):
        raise FaultyDocument("file_name has to be a text")
    return value[:MAX_RAW_FILE_NAME_LENGTH] if value else None


def _cell_text(value: Any, number: int) -> str:
    """Return a JSON value as the text of a cell of row `number`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _written(value, number)
    if type(value) is int:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return _number_text(value)
    try:
        text = _ENCODER.encode(value)
    except (ValueError, RecursionError) as error:
        raise CSVFormatError(f"no cell can hold the value: {error}", row=number) from error
    return _written(text, number)


def _number_text(value: float) -> str:
    """Return a number without an exponent unless it gets too long: 0.00001, not 1e-05."""
    text = repr(value)
    if "e" not in text:
        return text
    plain = f"{Decimal(text):f}"
    return plain if len(plain) <= MAX_PLAIN_NUMBER_LENGTH else text


def _written(text: str, number: int) -> str:
    """Return `text`; raise CSVFormatError if UTF-8 cannot encode it."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            reason = f"half a surrogate pair, \\u{ord(text[error.start]):04x}, is not a character"
            raise CSVFormatError(reason, row=number) from error
    return text


def convert_body(source: Readable, spool: IO[bytes], **rules: Any) -> Converted:
    """Call `convert` with the rules that a converter gets."""
    return convert(source, spool, RecordRules(**rules))


if __name__ == "__main__":
    serve(convert_body)
