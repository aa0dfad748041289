"""The errors that services raise on purpose."""

from __future__ import annotations


class BadQuantities(ValueError):
    """A line of an import cannot be used."""

    code = "bad_quantities"

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"Line {line}: {why}. Nothing was imported.")
        self.line = line
        self.why = why
