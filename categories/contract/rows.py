"""Converts cells to typed rows, column by column, and outcomes back to cells."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, ClassVar

from categories.columns import Column, is_unset, takes
from categories.contract.outcomes import Cells, RowFailed, Texts
from categories.errors import CellError, UndeclaredOutput

if TYPE_CHECKING:
    from categories.contract import Action

BAD_FIELDS = "bad field(s) "  # how the failure of a row with bad cells begins
ERROR = "error"  # the column of failures, the last one of an output of rows


class Row(tuple[Any, ...]):
    """The typed cells of an input row: `row.number`, or by the column's name `row["cnam.inbound"]`.

    A cell is None if it is unset, or if the file lacks its column. Rows are tuples, because a
    tuple takes only about 0.15 µs.
    """

    __slots__ = ()
    __places: ClassVar[dict[str, int | None]]  # column -> place in the tuple; None: not in the file

    def __getitem__(self, key: Any) -> Any:
        """Return the cell of a column; raise KeyError if the action does not declare it."""
        if key.__class__ is str:
            place = self.__places[key]
            return None if place is None else tuple.__getitem__(self, place)
        return tuple.__getitem__(self, key)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def row_number(row: Row) -> int:
    """Return the number of the data row in the file, from 1, without the header."""
    number: int = tuple.__getitem__(row, -1)
    return number


def file_columns(row: Row) -> list[str]:
    """Return the names of the action's columns that the row's file has."""
    return [name for name, place in row._Row__places.items() if place is not None]


class RowShape:
    """The conversion of the cells of a file with this header into rows of an action."""

    def __init__(self, action: type[Action], header: Sequence[str]) -> None:
        # (place in the file, column), in file order; undeclared columns are skipped
        self.columns: list[tuple[int, Column[Any]]] = [
            (place, column.but(name=name) if column.is_open else column)
            for place, name in enumerate(header)
            for column in [column for column in action.columns if takes(column.name, name)][:1]
        ]
        self.row_class = self._make_row_class(action)

    def _make_row_class(self, action: type[Action]) -> type[Row]:
        """Return the Row subclass of this file: one C-speed getter per column."""
        cells = namedtuple("cells", [f"c{place}" for place in range(len(self.columns))])  # type: ignore[misc]  # noqa: PYI024
        members: dict[str, Any] = {}
        places: dict[str, int | None] = {}
        in_file = {column.name: place for place, (_, column) in enumerate(self.columns)}
        for column in action.columns:
            if column.is_open:  # read by name only: a name of the file may be any word
                places |= {name: n for name, n in in_file.items() if takes(column.name, name)}
                continue
            place = places[column.name] = in_file.get(column.name)
            getter = None if place is None else vars(cells)[f"c{place}"]
            members[column.attribute] = members[column.name.replace(".", "_")] = getter
        return type("Row", (Row,), {"__slots__": (), "_Row__places": places, **members})

    def parse_batch(
        self, cells: Sequence[Sequence[str]], first_number: int
    ) -> list[Row | RowFailed]:
        """Return a typed row for each row of cells, or RowFailed if a column rejects a cell."""
        in_columns = list(zip(*cells, strict=True))
        values: list[Sequence[Any]] = []
        bad: dict[int, list[tuple[str, str]]] = {}  # index of the row -> (column, why)
        for place, column in self.columns:
            in_column = in_columns[place] if in_columns else ()
            values.append(parse_whole(column, in_column) or parse_singly(column, in_column, bad))
        numbers = range(first_number, first_number + len(cells))
        new_rows = map(tuple.__new__, repeat(self.row_class), zip(*values, numbers, strict=True))
        rows: list[Row | RowFailed] = list(new_rows)
        for index, faults in bad.items():
            rows[index] = bad_fields(faults)
        return rows


def parse_whole(column: Column[Any], cells: Sequence[str]) -> list[Any] | None:
    """Return the values of a column, or None if one of its cells is bad."""
    try:
        values = column.parse_many(cells)
    except CellError:
        return None
    return None if column.mandatory and None in values else values


def parse_singly(
    column: Column[Any], cells: Sequence[str], bad: dict[int, list[tuple[str, str]]]
) -> list[Any]:
    """Return the values of a column with bad cells; add their rows and the reasons to `bad`."""
    values: list[Any] = [None] * len(cells)
    for index, cell in enumerate(cells):
        why = "no value" if column.mandatory else ""
        if not is_unset(cell):
            try:
                values[index], why = column.parse(cell), ""
            except CellError as error:
                why = error.why
        if why:
            bad.setdefault(index, []).append((column.name, why))
    return values


def bad_fields(faults: Sequence[tuple[str, str]]) -> RowFailed:
    """Return the failure with the names of the bad cells in file order and each reason once."""
    names = " ".join(name for name, _ in faults)
    reasons = "; ".join(dict.fromkeys(why for _, why in faults))
    return RowFailed(f"{BAD_FIELDS}{names}: {reasons}")


class OutputShape:
    """The columns of an output file, for an action and the header of its input.

    They are the input's columns, the action's output columns that the input lacks, and `error`.
    If the input has an output column already, its cells are filled in there. An `error` of the
    input is replaced. So an action takes back the file that it wrote.
    An action that replaces the header writes exactly its output columns and `error`. An action
    without input writes no `error`, because its rows cannot fail.

    `names` are the output columns that an older version began to write: the others are left out,
    and those that the action no longer has stay empty.
    """

    def __init__(
        self, action: type[Action], header: Sequence[str] = (), names: Sequence[str] | None = None
    ) -> None:
        self.action = action
        self._output_names = [column.name for column in action.output]
        self._formats = [column.format for column in action.output]
        self._ending = [""] if action.takes_input else []  # the `error` of a row that succeeded
        chosen = self._output_names if names is None else list(names)
        self.is_own = chosen == self._output_names
        self._places = [
            self._output_names.index(name) if name in self._output_names else None
            for name in chosen
        ]
        written = [*chosen, *([ERROR] if action.takes_input else [])]
        kept = [] if action.replaces_header else [name for name in header if name != ERROR]
        self.header = [*kept, *(name for name in written if name not in kept)]
        # whether a line of output is the input's line, byte for byte, with cells appended
        self.keeps_line = not action.replaces_header and not set(header) & set(written)
        self._is_filled_in = not action.replaces_header and not self.keeps_line
        declared = {column.name for column in action.columns}
        # for each column of a line that is not kept: its place in `written`, and in the input
        self._sources = [
            (
                written.index(name) if name in written else None,
                header.index(name)
                if name in header and (name in declared or name not in written)
                else None,
            )
            for name in self.header
        ]

    def succeeded_cells(self, cells: Cells = (), input_cells: Sequence[str] = ()) -> list[str]:
        """Return the texts of one output row, or without cells those of an empty success.

        They are to be appended to the input's line if `keeps_line`; otherwise they are the whole
        line. Raises UndeclaredOutput.
        """
        if not cells:
            return self.failed_cells("", input_cells)
        if cells.__class__ is Texts:
            texts = list(cells)
        elif cells.__class__ is tuple and len(cells) == len(self._formats):
            texts = [format_cell(cell) for format_cell, cell in zip(self._formats, cells)]  # noqa: B905
        else:
            by_name = self._by_name(cells)
            texts = [
                format_cell(by_name.get(name))
                for format_cell, name in zip(self._formats, self._output_names, strict=True)
            ]
        if not self.is_own:
            texts = ["" if place is None else texts[place] for place in self._places]
        texts += self._ending
        return self._merge(texts, input_cells) if self._is_filled_in else texts

    def _by_name(self, cells: Cells) -> Mapping[str, Any]:
        if not isinstance(cells, Mapping):
            if len(cells) != len(self._output_names):
                raise UndeclaredOutput(self.action.__name__, [f"{len(cells)} cells"])
            return dict(zip(self._output_names, cells, strict=True))
        undeclared = cells.keys() - self._output_names
        if undeclared:
            raise UndeclaredOutput(self.action.__name__, undeclared)
        return cells

    def failed_cells(self, message: str, input_cells: Sequence[str] = ()) -> list[str]:
        """Return the texts of a row without output: one that failed, if there is a message."""
        texts = [""] * len(self._places)
        if self._ending:
            texts.append(message)
        return texts if self.keeps_line else self._merge(texts, input_cells)

    def _merge(self, texts: Sequence[str], input_cells: Sequence[str]) -> list[str]:
        """Return the whole line; an empty text leaves the input's cell of that column."""
        line = []
        for at, place in self._sources:
            text = "" if at is None else texts[at]
            if not text and place is not None and input_cells:
                text = input_cells[place]
            line.append(text)
        return line


def accepted_columns(action: type[Action]) -> dict[str, bool]:
    """Return the names that the columns of an input may have, and whether each is mandatory.

    The columns that the action writes are accepted and ignored, so that it takes back its output.
    """
    written = (*(column.name for column in action.output), ERROR) if action.takes_input else ()
    declared = {column.name: column.mandatory for column in action.columns}
    return declared | {name: False for name in written if name not in declared}
