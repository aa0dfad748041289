"""The base class of columns."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

from categories.columns.arguments import Declared
from categories.locations import Location

T = TypeVar("T")

BLANKS = " \t"  # a cell with only these is unset
# what PostgreSQL cannot store, and UTF-8 cannot encode; no upload has it, but JSON can escape it
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
OPEN_END = ".*"  # of the name of an open column, which stands for all names that begin like it
OPEN_WORDS = re.compile(r"(\.[A-Za-z0-9_-]{1,50}){1,8}")  # the rest of such a name in a file


def is_unset(cell: str) -> bool:
    """Say whether the cell holds no value: it is empty, or has only spaces and tabs."""
    return not cell.strip(BLANKS)


def find_undeclared(names: Iterable[str], declared: Collection[str]) -> list[str]:
    """Return the names of a file's columns that are not declared, in their order."""
    open_ones = [each for each in declared if each.endswith(OPEN_END)]
    return [
        name
        for name in names
        if (name not in declared or name in open_ones)
        and not any(takes(open_one, name) for open_one in open_ones)
    ]


def takes(declared: str, name: str) -> bool:
    """Say whether the declared name is that of a file's column."""
    if not declared.endswith(OPEN_END):
        return name == declared
    begins = len(declared) - len(OPEN_END)
    return name.startswith(declared[:begins]) and OPEN_WORDS.fullmatch(name, pos=begins) is not None


class Column(Generic[T], metaclass=Declared):
    """One column of an action, as input or as output.

    A single text is the help; the column then takes the attribute's name. Two texts are the
    column's name, such as `"cnam.inbound"`, and its help. An input column named `opaque.*` is
    open: it stands for every column of a file that begins with `opaque.`.
    """

    type_name: ClassVar[str] = "text"
    rule: str = "any text"
    default_example: ClassVar[str] = "text"
    # cells that repeat are parsed once, and their rows share the value, which must be immutable
    shares_values: ClassVar[bool] = False
    location: Location  # of its declaration

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "parse" in vars(cls) and "parse_many" not in vars(cls):
            # an inherited parse_many may not call the new parse
            cls.parse_many = Column.parse_many  # type: ignore[method-assign]

    def __init__(
        self,
        first: str,
        second: str | None = None,
        /,
        *,
        name: str = "",
        mandatory: bool = False,
        example: str | None = None,
    ) -> None:
        self.name, self.help = (name, first) if second is None else (first, second)
        self.mandatory = mandatory
        self.example = self.default_example if example is None else example
        self.attribute = self.name.replace(".", "_")

    @property
    def is_open(self) -> bool:
        """Whether a file may have many such columns, under names that it chooses."""
        return self.name.endswith(OPEN_END)

    @property
    def example_name(self) -> str:
        """The name in a file; of an open column, one that fits."""
        return self.name.replace("*", "example")

    def __set_name__(self, owner: type, attribute: str) -> None:
        """Name the column after the attribute, unless a name was given."""
        self.attribute = attribute
        self.name = self.name or attribute

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def but(self, **changes: Any) -> Self:
        """Return a copy with other attributes: `column.but(mandatory=True)`."""
        changed = copy.copy(self)
        vars(changed).update(changes)
        return changed

    def parse(self, text: str) -> T:
        """Return the value of a set cell, or raise CellError with the reason."""
        raise NotImplementedError

    def parse_many(self, cells: Sequence[str]) -> list[T | None]:
        """Return the values of a whole column, None for unset cells, or raise CellError."""
        parse = self.parse
        if self.shares_values and len(different := set(cells)) * 2 <= len(cells):
            values = {cell: parse(cell) if cell.strip(BLANKS) else None for cell in different}
            return [values[cell] for cell in cells]
        return [parse(cell) if cell.strip(BLANKS) else None for cell in cells]

    def format(self, value: T | None) -> str:
        """Return the cell's text; None becomes the empty cell."""
        return "" if value is None else str(value)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of a set value in a JSON record."""
        return {"type": "string"}

    def describe(self) -> dict[str, Any]:
        """Return the column's description in `GET /v2/tasks`."""
        return {
            "name": self.name,
            "type": self.type_name,
            "rule": self.rule,
            "help": self.help,
            "example": self.example,
            "mandatory": self.mandatory,
        }
