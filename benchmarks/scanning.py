"""How fast are uploads scanned and read, and with how much memory?

    python -m benchmarks.scanning [--rows 1000000] [--rounds 5] [--stream-megabytes 1000]

The yardstick is a bare loop over the standard csv.reader, which checks nothing. Both take turns on
the same bytes in memory, and CPU seconds count, so that other load on the machine matters less.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tasks_app.csv_files.reading import RowReader
from tasks_app.csv_files.scanning import Scan, ScanLimits, Scanner

COLUMNS = {"id": True, "name": True, "email": True, "amount": False, "date": False, "note": False}
LIMITS = ScanLimits(columns=1_000, cell_bytes=2**20, rows=50_000_000)
FEED_BYTES = 64 * 1024  # what an upload brings at a time
BATCH_ROWS = 2_000
KINDS = {
    "plain": "no quotes",
    "mixed": "10 % of rows with a quoted cell: commas, quotes, line ends",
    "quoted": "every cell quoted",
    "stray": "a lone quote inside a cell of one row in a thousand",
}


def main() -> None:
    """Print how the scanner and the reader compare with a bare csv.reader."""
    options = read_options()
    print_memory(options.stream_megabytes)
    print(f"\nrows/s of a bare csv.reader loop; times as fast; median (lowest to highest) "
          f"of {options.rounds} rounds, {options.rows:,} rows\n")  # fmt: skip
    titles = ("scanner", "with SHA-256", "without numpy", "reader")
    print(f"{'':8}{'csv.reader':>12}" + "".join(f"{title:>20}" for title in titles))
    for kind, meaning in KINDS.items():
        data = make_file(kind, options.rows)
        print_line(kind, data, options.rows, options.rounds)
        print(f"{'':8}{meaning}, {len(data) / 1e6:.0f} MB")


def read_options() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stream-megabytes", type=int, default=1_000)
    return parser.parse_args()


def print_memory(megabytes: int) -> None:
    """Scan a stream that is stored nowhere, and print the peak above what Python and numpy take."""
    block = make_rows("mixed", 1_000)
    idle = peak_bytes()
    started = time.perf_counter()
    scanner = Scanner(COLUMNS, LIMITS)
    scanner.feed(",".join(COLUMNS).encode() + b"\n")
    for _ in range(megabytes * 1_000_000 // len(block)):
        scanner.feed(block)
    scan = scanner.close()
    seconds = time.perf_counter() - started
    print(
        f"{scan.size_bytes / 1e6:,.0f} MB, {scan.row_count:,} rows in {seconds:.1f} s:"
        f" {(peak_bytes() - idle) / 2**20:.1f} MiB above idle ({idle / 2**20:.0f} MiB)"
    )


def print_line(kind: str, data: bytes, row_count: int, rounds: int) -> None:
    """Print one line of the table."""
    blocks = [data[start : start + FEED_BYTES] for start in range(0, len(data), FEED_BYTES)]
    ways: dict[str, Callable[[], object]] = {
        "bare": lambda: read_bare(data),
        "scanner": lambda: scan_blocks(blocks),
        "without numpy": lambda: scan_blocks(blocks, fast=False),
        "reader": lambda: read_batches(data),
        "SHA-256": lambda: hashlib.sha256(data).digest(),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.process_time()
            way()
            times[name].append(time.process_time() - started)
    line = f"{kind:8}{row_count / statistics.median(times['bare']):>12,.0f}"
    times["with SHA-256"] = [a + b for a, b in zip(times["scanner"], times["SHA-256"], strict=True)]
    for name in ("scanner", "with SHA-256", "without numpy", "reader"):
        ratios = [bare / other for bare, other in zip(times["bare"], times[name], strict=True)]
        line += f"{statistics.median(ratios):>8.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    print(line, flush=True)


def read_bare(data: bytes) -> None:
    """Loop over csv.reader and do nothing."""
    for _ in csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")):
        pass


def scan_blocks(blocks: Sequence[bytes], *, fast: bool = True) -> Scan:
    """Scan a file as an upload is."""
    scanner = Scanner(COLUMNS, LIMITS, fast=fast)
    for block in blocks:
        scanner.feed(block)
    return scanner.close()


def read_batches(data: bytes) -> None:
    """Take all rows in batches, as a worker does."""
    file = io.BytesIO(data)
    offset = len(file.readline())
    reader = RowReader(file, width=len(COLUMNS), offset=offset, end_offset=None)
    while not reader.take(BATCH_ROWS).is_last:
        pass


def make_file(kind: str, row_count: int) -> bytes:
    """Return a header and rows of one kind."""
    return b"".join([",".join(COLUMNS).encode() + b"\n", make_rows(kind, row_count)])


def make_rows(kind: str, row_count: int) -> bytes:
    """Return rows of about 91 bytes, one in ten with a name that is not ASCII."""
    quoting = csv.QUOTE_ALL if kind == "quoted" else csv.QUOTE_MINIMAL
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator="\n").writerows(rows(kind, row_count))
    return text.getvalue().replace("''", '"').encode()


def rows(kind: str, row_count: int) -> Iterator[list[str]]:
    """Yield the cells of each row; '' stands for a quote that nothing encloses."""
    chance = random.Random(1)
    names = ["Anna", "Bob", "Chloé", "Dave", "Eve", "Frank", "Grace", "Heidi", "Ivan", "Judy"]
    for number in range(row_count):
        note = "" if chance.random() < 0.1 else f"some text here {number:08} of this row"
        if kind == "mixed" and number % 10 == 0:
            note = f'said "hello, {number}" to all' if number % 100 else f"two\nlines, {number}"
        if kind == "stray" and chance.random() < 0.001:
            note = f"a pipe of 5'' {number}"
        yield [
            str(100_000_000 + number),
            f"{chance.choice(names)} Example",
            f"user{number}@example.org",
            f"{chance.randrange(1_000_000) / 100:.2f}",
            f"2024-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
            note,
        ]


def peak_bytes() -> int:
    """Return the most memory this process has had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
