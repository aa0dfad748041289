"""Detects effects that no transaction undoes, from Python's audit events and SQL statements."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

Report = Callable[[str], None]

WRITES = r"INSERT|UPDATE|DELETE|MERGE|REPLACE|COPY|TRUNCATE|CREATE|ALTER|DROP"
WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "shutil.rmtree",
}

_reports: dict[int, Report] = {}  # by thread


def is_write(sql: Any) -> bool:
    """Say whether a statement may change rows or tables."""
    text = str(sql).lstrip("( \n")
    if copied := re.match(r"COPY\s*\(", text, re.IGNORECASE):
        return is_write(text[copied.end() :])  # COPY (query) only reads, unless the query writes
    if text[:4].upper() == "WITH":
        return re.search(rf"\b({WRITES})\b", text, re.IGNORECASE) is not None
    return re.match(WRITES, text, re.IGNORECASE) is not None


@contextmanager
def files_opened(report: Report) -> Iterator[None]:
    """Report the files that this thread creates, opens for writing, renames or removes."""
    install_audit_hook()
    thread = threading.get_ident()
    before = _reports.get(thread)
    _reports[thread] = report
    try:
        yield
    finally:
        del _reports[thread]
        if before is not None:
            _reports[thread] = before


@cache
def install_audit_hook() -> None:
    """Install a hook for Python's audit events (PEP 578), once: hooks cannot be removed."""
    scratch: set[str] = set()  # files of the module tempfile, which are not reported

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if not _reports:
            return
        report = _reports.get(threading.get_ident())
        if report is None:
            return
        if event in ("tempfile.mkstemp", "tempfile.mkdtemp"):
            scratch.add(str(arguments[0]))
        elif event in ("os.remove", "os.rmdir") and arguments[1] != -1:
            pass  # inside an open folder, by shutil.rmtree, which has its own event
        elif event in CHANGES or (event == "open" and opens_for_writing(*arguments)):
            path = os.fsdecode(arguments[0]) if not isinstance(arguments[0], int) else ""
            if path and not any(path.startswith(name) for name in scratch):
                report(path)

    sys.addaudithook(audit)


def opens_for_writing(path: Any, _mode: Any, flags: Any) -> bool:
    """Say whether an `open` may change a file; ignore Python's compiled modules."""
    if not isinstance(path, str | bytes) or not isinstance(flags, int):
        return False
    name = os.fsdecode(path)
    # tempfile.TemporaryFile opens the folder itself, for a file without a name
    is_no_fault = name == os.devnull or "__pycache__" in name or Path(name).is_dir()
    return bool(flags & WRITING_FLAGS) and not is_no_fault
