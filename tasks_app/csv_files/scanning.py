"""Checks in one pass, in constant memory, that an upload is a CSV file that fits its action."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from piston.plurals import plural
from tasks_app.csv_files.contents import Contents
from tasks_app.csv_files.limits import ScanLimits
from tasks_app.csv_files.plain_scan import QuickScan
from tasks_app.errors import CSVFormatError

# None if the library was not compiled: then a scan takes ten times as long
COMPILED_SCAN: QuickScan | None
try:
    from tasks_app.csv_files.compiled_scan import scan_block as COMPILED_SCAN  # noqa: N812
except ImportError:
    COMPILED_SCAN = None

BLOCK_BYTES = 256 * 1024  # scanned at once; larger blocks would not fit the processor's cache


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of a scan of a valid file."""

    header: tuple[str, ...]
    header_line: bytes  # as it stands in the file, without byte order mark and line end
    data_offset: int  # bytes from the beginning of the file to the end of the header's line
    row_count: int
    size_bytes: int
    checkpoints: list[tuple[int, int]]  # (rows before, byte offset), from (0, data_offset) on
    block_rows: list[int]  # rows up to the end of each block (see `blocks`)


class Scanner:
    """Scan a file that is pushed in block by block.

    `columns` maps each declared name to whether it is mandatory. Raises CSVFormatError at the first
    fault of form, or FieldErrors if names are unknown, or names or values are missing. Discard a
    scanner that raised. The outcome depends neither on the blocks nor on `quick_scan`, which may be
    None.
    """

    def __init__(
        self,
        columns: Mapping[str, bool],
        limits: ScanLimits,
        *,
        quick_scan: QuickScan | None = COMPILED_SCAN,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._contents = Contents(columns, limits, quick_scan)
        self._limits = limits
        self._block_bytes = block_bytes
        self._size_bytes = 0
        self._pending: list[bytes] = []  # not scanned yet; begins where a row begins
        self._pending_bytes = 0
        self._wanted_bytes = block_bytes  # that must be pending before the next scan

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the file, any number of them."""
        limit = self._limits.file_bytes
        room = sys.maxsize if limit is None else limit - self._size_bytes
        self._size_bytes += len(block)
        for start in range(0, min(len(block), room), self._block_bytes):
            self._push(block[start : min(start + self._block_bytes, room)])
        if limit is not None and len(block) > room:
            self._scan_pending(is_last=False)
            raise CSVFormatError(
                f"the file is larger than the limit of {limit} {plural('byte', limit)}",
                expected=limit,
            )

    def close(self) -> Scan:
        """Finish the scan of a complete file and return its result."""
        self._scan_pending(is_last=True)
        contents = self._contents
        contents.finish()
        return Scan(
            header=contents.header.names,
            header_line=contents.header_line,
            data_offset=contents.data_offset,
            row_count=contents.row_count,
            size_bytes=self._size_bytes,
            checkpoints=contents.checkpoints.before_the_end(),
            block_rows=contents.row_counter.close(self._size_bytes),
        )

    def _push(self, piece: bytes) -> None:
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        if self._pending_bytes >= self._wanted_bytes:
            self._scan_pending(is_last=False)

    def _scan_pending(self, *, is_last: bool) -> None:
        """Scan the pending bytes; if a row is longer, wait for twice as many.

        Doubling keeps the time linear. The bound keeps memory flat, because a longer row is a
        fault.
        """
        rest = self._contents.scan(b"".join(self._pending), is_last=is_last)
        most_bytes = self._limits.longest_row_bytes + self._block_bytes
        self._pending = [rest]
        self._pending_bytes = len(rest)
        self._wanted_bytes = max(self._block_bytes, min(2 * len(rest), most_bytes))
