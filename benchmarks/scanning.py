"""How fast is an upload scanned, and with how much memory, against a bare csv.reader?

At upload the bytes are checked, counted and hashed (SHA-256): that is what is judged.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from benchmarks.inside import django_on
from benchmarks.measuring import (
    Comparison,
    Scale,
    forget_peak_memory,
    main,
    peak_memory,
    per_second,
    ratios,
    take_turns,
)
from benchmarks.samples import COLUMNS, KINDS, make_file, make_rows

if TYPE_CHECKING:
    from piston.readable import Readable

LEAST = {"plain": 3.0, "mixed": 3.0, "quoted": 1.3, "stray": None}  # times as fast as csv.reader
MAX_MEMORY = 30.0  # MiB above idle
STREAM_BYTES = 1_000_000_000
BLOCK_BYTES = 256 * 1024


def measure(scale: Scale) -> Iterator[Comparison]:
    """Scan a gigabyte that is stored nowhere, then a million rows of each kind."""
    os.environ["PISTON_CATEGORIES"] = "benchmarks.contacts.Contacts"
    with django_on():
        yield measure_memory(scale)
        for kind in LEAST:
            yield measure_speed(kind, scale)


def measure_memory(scale: Scale) -> Comparison:
    """Scan a stream, and see by how many MiB the process has grown at most since it was idle."""
    block = make_rows("mixed", 1_000)
    size = STREAM_BYTES // 100 if scale.is_quick else STREAM_BYTES
    read_all(at_upload(Repeated(block, 1)))  # what is loaded once
    forget_peak_memory()
    idle = peak_memory()
    grown = []
    for _ in range(scale.rounds):
        read_all(at_upload(Repeated(block, size // len(block))))
        grown.append(peak_memory() - idle)
    return Comparison(
        name="scan memory",
        what=f"memory of a scan at upload, {size / 1e6:,.0f} MB, in MiB",
        against="the same process, idle",
        ratios=grown,
        at_most=MAX_MEMORY,
        figures={"idle": f"{idle:.0f} MiB"},
        peaks={"scanning process": peak_memory()},
    )


def measure_speed(kind: str, scale: Scale) -> Comparison:
    """Let a bare loop and a scan take turns on the same bytes in memory."""
    from benchmarks.contacts import Look
    from tasks_app.storing_uploads import ScannedStream

    row_count = scale.rows(1_000_000)
    content = make_file(kind, row_count)
    ways: dict[str, Callable[[], object]] = {
        "csv.reader": lambda: read_bare(content),
        "scan at upload": lambda: read_all(at_upload(io.BytesIO(content))),
        "scan without SHA-256": lambda: read_all(ScannedStream(Look, io.BytesIO(content))),
    }
    seconds = take_turns(scale.rounds, ways)
    return Comparison(
        name=f"scan {kind}",
        what=f"scan at upload with SHA-256, {len(content) / 1e6:.0f} MB, {KINDS[kind]}",
        against="a loop over csv.reader that does nothing",
        ratios=ratios(seconds["csv.reader"], seconds["scan at upload"]),
        at_least=LEAST[kind],
        figures={name: per_second(row_count, each) for name, each in seconds.items()},
        peaks={"scanning process": peak_memory()},
    )


def read_bare(content: bytes) -> None:
    """Loop over csv.reader and do nothing."""
    for _ in csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")):
        pass


def at_upload(body: Readable) -> Readable:
    """Return what a storage backend reads while it stores an upload."""
    from benchmarks.contacts import Look
    from tasks_app.files import storage
    from tasks_app.files.recording import RecordingStream
    from tasks_app.models import TaskCSV
    from tasks_app.storing_uploads import ScannedStream

    return RecordingStream(TaskCSV(), ScannedStream(Look, body), storage.KEEP_SECONDS)


def read_all(stream: Readable) -> None:
    """Read to the end, as a storage backend does."""
    while stream.read(BLOCK_BYTES):
        pass


class Repeated:
    """A file that is nowhere: a header, then the same rows so many times."""

    def __init__(self, rows: bytes, count: int) -> None:
        self.rows = rows
        self.count = count  # of times that they come again
        self.rest = ",".join(COLUMNS).encode() + b"\n"

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` of the next bytes."""
        if not self.rest and self.count:
            self.rest, self.count = self.rows, self.count - 1
        block, self.rest = self.rest[:size], self.rest[size:]
        return block


if __name__ == "__main__":
    main(measure)
