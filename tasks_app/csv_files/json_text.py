"""How is a large JSON document read? One value after the other, each by Python's own decoder.

So a document of any length takes the memory of its longest value, and each value is what `json`
makes of it. (ijson's fast backend changes texts with half a surrogate pair in silence: ADR 22.)
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
MAX_TOKEN_LENGTH = 16  # characters in which a number, a name or an escape shows what it is

_SPACE = re.compile(r"[ \t\n\r]*")
_ENDS = frozenset(" \t\n\r,]}:")  # behind one of these no number goes on
_UNFINISHED = "Unterminated string starting at"  # the message points to where it begins


class JSONText:
    """A document and the place that has been reached in it. All methods raise InvalidJSON."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._decode_bytes = codecs.getincrementaldecoder("utf-8")()
        self._decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode
        self._text = ""
        self._at = 0
        self._bad_byte: InvalidJSON | None = None  # what stands before it is looked at first
        self._has_all = False
        self._is_mixed = False  # then objects are taken one by one, to the end of what is here
        self._read_bytes = 0
        self._line = 1  # of where `_text` begins, and how many characters stand before it:
        self._before = 0  # in the document
        self._before_in_line = 0
        while not self._text and self._read_more():
            pass
        self._text = self._text.removeprefix("\ufeff")

    def peek(self) -> str:
        """Return the character with which the next value begins; "" at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_more():
                return ""

    def value(self) -> Any:
        """Return the value that comes next."""
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
            if not self._read_more():  # then it is what it seems to be
                if fault:
                    self._refuse(fault)
                self._at = end
                return value

    def members(self) -> Iterator[str]:
        """Yield the keys of the object that comes next; whoever takes one takes its value too."""
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
        """Yield the values of the list that comes next."""
        self._take("[", "Expecting value")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield from self._objects() or [self.value()]
            if self._take(",]", "Expecting ',' delimiter") == "]":
                return

    def _objects(self) -> list[Any]:
        """Return the objects of a list that lie whole in what has been read: three times as fast.

        What makes a list when it is put into brackets is a list's elements, wherever it was cut.
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
        """Make sure that nothing more comes."""
        if self.peek():
            self._fail("Extra data")

    def _take(self, characters: str, otherwise: str) -> str:
        found = self.peek()
        if not found or found not in characters:
            self._fail(otherwise)
        self._at += 1
        return found

    def _read_more(self) -> bool:
        """Read behind what has not been taken yet; False if that cannot help any more.

        Doubling what is there keeps the time for a long value linear.
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
        """Is this a fault whatever comes behind the text that has been read?"""
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
        """Say what is wrong and where, in the words of `json`."""
        at = self._at if at is None else at
        lines = self._text.count("\n", 0, at)
        column = at - self._text.rfind("\n", 0, at) if lines else self._before_in_line + at + 1
        place = f"line {self._line + lines} column {column} (char {self._before + at})"
        raise InvalidJSON(f"{what}: {place}")


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not JSON")
