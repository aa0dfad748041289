"""The limits on what a CSV file may hold."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """The limits of one file; a file that exceeds one is refused with a CSVFormatError.

    Cells and rows are measured in bytes as they stand in the file, quotes included. If
    `file_bytes` is None, the scanner's caller bounds the file. `row_bytes` bounds the memory for
    a single row; `cell_bytes` applies instead if it is larger.
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
