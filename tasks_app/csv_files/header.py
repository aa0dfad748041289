"""Compares the header of a file with the declared columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from categories.columns import find_undeclared, is_unset
from tasks_app.errors import CSVFormatError

UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Header:
    """The names of a file's columns, compared with those that the action declares."""

    names: tuple[str, ...]
    columns: Mapping[str, bool]  # declared name -> is it mandatory?

    @property
    def unknown_fields(self) -> list[str]:
        """Return the undeclared names, in file order."""
        return find_undeclared(self.names, self.columns)

    @property
    def missing_mandatory_fields(self) -> list[str]:
        """Return the mandatory names that the file lacks, in order of declaration."""
        present = set(self.names)
        return [name for name, needed in self.columns.items() if needed and name not in present]

    @property
    def has_faults(self) -> bool:
        """Say whether a name is unknown or missing."""
        return bool(self.unknown_fields or self.missing_mandatory_fields)

    @property
    def mandatory_places(self) -> tuple[int, ...]:
        """Return the positions of the mandatory columns that the file has."""
        return tuple(place for place, name in enumerate(self.names) if self.columns.get(name))

    @property
    def did_you_mean(self) -> dict[str, str]:
        """Map each unknown name to the declared one that differs only in case or spaces."""
        declared = {_folded(name): name for name in self.columns}
        guesses = {name: declared.get(_folded(name)) for name in self.unknown_fields}
        return {name: guess for name, guess in guesses.items() if guess is not None}


def check_names(names: Sequence[str], *, line: int) -> None:
    """Raise CSVFormatError if a name is empty or repeated; `line` is the header's line."""
    for number, name in enumerate(names, start=1):
        if is_unset(name):
            raise CSVFormatError(f"the header has no name for column {number}", line=line)
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise CSVFormatError(f"the header has the name {name!r} more than once", line=line)


def _folded(name: str) -> str:
    """Return the name without case, spaces, dashes and underscores, which people mistype."""
    return re.sub(r"[\s_-]+", "", name).casefold()
