"""How much may a CSV file hold?"""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Bound what one file may hold; past a limit it is refused with a CSVFormatError.

    Cells and rows are measured in bytes as they stand in the file, quotes included. `file_bytes`
    None means that whoever feeds the scanner bounds the file. `row_bytes` bounds the memory
    that a single row can take; it is never less than `cell_bytes`.
    """

    columns: int
    cell_bytes: int
    rows: int
    file_bytes: int | None = None
    row_bytes: int = 16 * MEBIBYTE

    @property
    def longest_row_bytes(self) -> int:
        """Return how long one row may be."""
        return max(self.row_bytes, self.cell_bytes)
