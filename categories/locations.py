"""Finds the file and line of a plugin's declaration, for error messages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

OWN_FOLDER = Path(__file__).parent
MACHINERY = {str(OWN_FOLDER / name) for name in ("columns", "contract", "locations.py")}


class Location(NamedTuple):
    """A line of a file; lines count from 1."""

    file: str
    line: int


def find_location() -> Location:
    """Return the innermost line of the calling code outside the contract's own modules."""
    frame = sys._getframe(1)
    while frame.f_back is not None and is_machinery(frame.f_code.co_filename):
        frame = frame.f_back
    return Location(frame.f_code.co_filename, frame.f_lineno)


def is_machinery(file: str) -> bool:
    """Say whether the file is one of the contract's own modules."""
    return file in MACHINERY or str(Path(file).parent) in MACHINERY
