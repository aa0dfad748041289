"""Reads a large JSON document value by value, with Python's own decoder.

A document of any length takes only the memory of its longest value, and each value is exactly
what `json` returns. (ijson's fast backend silently changes texts with half a surrogate pair:
ADR 22.)
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from tasks_app.errors import InvalidJSON

if TYPE_CHECKING:  # a converter starts faster without the platform
    from piston.readable import Readable

BLOCK_BYTES = 256 * 1024
MAX_VALUE_LENGTH = 16 * 2**20  # characters; as long as a row of a CSV file may be
MAX_TOKEN_LENGTH = 16  # characters after which a number, a name or an escape is unambiguous

_SPACE = re.compile(r"[ \t\n\r]*")
_ENDS = frozenset(" \t\n\r,]}:")  # a number never continues after one of these
_UNFINISHED = "Unterminated string starting at"  # its position is where the string begins


class JSONText:
    """A document and the position reached in it. All methods raise InvalidJSON."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._decode_bytes = codecs.getincrementaldecoder("utf-8")()
        self._decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode
        self._text = ""
        self._at = 0
        self._bad_byte: InvalidJSON | None = None  # raised after the text before it is parsed
        self._has_all = False
        self._is_mixed = False  # then the elements in `_text` are decoded one by one
        self._read_bytes = 0
        self._line = 1  # on which `_text` begins
        self._before = 0  # characters of the document before `_text`
        self._before_in_line = 0  # characters of its line before `_text`
        while not self._text and self._read_more():
            pass
        self._text = self._text.removeprefix("\ufeff")

    def peek(self) -> str:
        """Return the first character of the next value; "" at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_more():
                return ""

    def value(self) -> Any:
        """Return the next value."""
        self.peek()
        while True:
            fault: ValueError | None = None
            try:
                value, end = self._decode(self._text, self._at)
            except RecursionError as error:
                raise InvalidJSON("it is nested too deeply") from error
            except ValueError as error:
                fault = error
                if self._is_certain(error):
                    self._refuse(error)
            else:
                if end < len(self._text) and self._text[end] in _ENDS:
                    self._at = end
                    return value
            if not self._read_more():  # nothing can change the result now
                if fault:
                    self._refuse(fault)
                self._at = end
                return value

    def members(self) -> Iterator[str]:
        """Yield the keys of the next object; the caller must read the value after each key."""
        self._take("{", "Expecting value")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                self._fail("Expecting property name enclosed in double quotes")
            name = self.value()
            self._take(":", "Expecting ':' delimiter")
            yield name
            if self._take(",}", "Expecting ',' delimiter") == "}":
                return

    def elements(self) -> Iterator[Any]:
        """Yield the values of the next list."""
        self._take("[", "Expecting value")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield from self._objects() or [self.value()]
            if self._take(",]", "Expecting ',' delimiter") == "]":
                return

    def _objects(self) -> list[Any]:
        """Return the objects of a list that were read completely: three times as fast.

        The text is cut after some `}`. If it decodes as a list inside brackets, it holds whole
        elements, wherever it was cut.
        """
        if self._is_mixed:
            return []
        cut = max(self._at, self._text.rfind("},", self._at) + 1)
        content = f"[{self._text[self._at : cut]}]"
        try:
            values, end = self._decode(content)
        except (ValueError, RecursionError, InvalidJSON):
            end = 0
        if cut == self._at or end < len(content):
            self._is_mixed = True
            return []
        self._at = cut
        return list(values)

    def end(self) -> None:
        """Raise InvalidJSON if anything but spaces follows."""
        if self.peek():
            self._fail("Extra data")

    def _take(self, characters: str, otherwise: str) -> str:
        found = self.peek()
        if not found or found not in characters:
            self._fail(otherwise)
        self._at += 1
        return found

    def _read_more(self) -> bool:
        """Read more text; return False at the end, or if the current value is too long.

        Each read doubles the pending text, which keeps the time for a long value linear.
        """
        if self._bad_byte:
            raise self._bad_byte
        rest = self._text[self._at :]
        if self._has_all or len(rest) > MAX_VALUE_LENGTH:
            return False
        block = self._source.read(max(BLOCK_BYTES, len(rest)))
        self._has_all = not block
        self._is_mixed = False
        lines = self._text.count("\n", 0, self._at)
        if lines:
            self._line += lines
            self._before_in_line = -self._text.rindex("\n", 0, self._at) - 1
        self._before_in_line += self._at
        self._before += self._at
        self._text = rest + self._to_text(block)
        self._at = 0
        return True

    def _to_text(self, block: bytes) -> str:
        pending_bytes = len(self._decode_bytes.getstate()[0])
        try:
            text = self._decode_bytes.decode(block, final=not block)
        except UnicodeDecodeError as error:
            place = self._read_bytes - pending_bytes + error.start
            byte = error.object[error.start]
            self._bad_byte = InvalidJSON(f"not UTF-8: byte 0x{byte:02x} at byte offset {place}")
            return bytes(error.object[: error.start]).decode()
        self._read_bytes += len(block)
        return text

    def _is_certain(self, error: ValueError) -> bool:
        """Say whether this is a fault whatever text follows."""
        return (
            isinstance(error, json.JSONDecodeError)
            and error.msg != _UNFINISHED
            and error.pos < len(self._text) - MAX_TOKEN_LENGTH
        )

    def _refuse(self, error: ValueError) -> NoReturn:
        if not self._has_all and not self._is_certain(error):
            raise InvalidJSON(f"a value is longer than the limit of {MAX_VALUE_LENGTH} characters")
        if isinstance(error, json.JSONDecodeError):
            self._fail(error.msg, error.pos)
        raise InvalidJSON(str(error)) from error

    def _fail(self, what: str, at: int | None = None) -> NoReturn:
        """Raise InvalidJSON with the fault and its position, in the words of `json`."""
        at = self._at if at is None else at
        lines = self._text.count("\n", 0, at)
        column = at - self._text.rfind("\n", 0, at) if lines else self._before_in_line + at + 1
        place = f"line {self._line + lines} column {column} (char {self._before + at})"
        raise InvalidJSON(f"{what}: {place}")


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not JSON")
