"""Detects effects that no transaction undoes, from Python's audit events and SQL statements."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from categories.testing.crash_kit.outside import describe_outside

Report = Callable[[str], None]  # gets the end of a sentence that begins with "In … it "

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


@dataclass(frozen=True)
class Watch:
    """What is reported of one thread, and of the threads that it starts."""

    report: Report
    thread: threading.Thread
    others: frozenset[threading.Thread]  # those that were there before; ids are used again

    def covers(self, thread: threading.Thread) -> bool:
        """Say whether the thread is the watched one, or began later."""
        return thread == self.thread or thread not in self.others


_watches: list[Watch] = []  # the innermost last


def is_write(sql: Any) -> bool:
    """Say whether a statement may change rows or tables."""
    text = str(sql).lstrip("( \n")
    if copied := re.match(r"COPY\s*\(", text, re.IGNORECASE):
        return is_write(text[copied.end() :])  # COPY (query) only reads, unless the query writes
    if text[:4].upper() == "WITH":
        return re.search(rf"\b({WRITES})\b", text, re.IGNORECASE) is not None
    return re.match(WRITES, text, re.IGNORECASE) is not None


@contextmanager
def leaks_reported(report: Report) -> Iterator[None]:
    """Report the files that the code inside changes, and its calls to the outside."""
    install_audit_hook()
    watch = Watch(report, threading.current_thread(), frozenset(threading.enumerate()))
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.remove(watch)


@cache
def install_audit_hook() -> None:
    """Install a hook for Python's audit events (PEP 578), once: hooks cannot be removed."""
    scratch: set[str] = set()  # files of the module tempfile, which are not reported

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if not _watches:
            return
        if event in ("tempfile.mkstemp", "tempfile.mkdtemp"):
            scratch.add(str(arguments[0]))
            return
        found = describe_change(event, arguments, scratch) or describe_outside(event, arguments)
        for watch in reversed(_watches) if found else ():
            if watch.covers(threading.current_thread()):
                watch.report(found)
                return

    sys.addaudithook(audit)


def describe_change(event: str, arguments: tuple[Any, ...], scratch: set[str]) -> str:
    """Return which file an event changes; "" for none, and for temporary ones."""
    if event in ("os.remove", "os.rmdir") and arguments[1] != -1:
        return ""  # inside an open folder, by shutil.rmtree, which has its own event
    if event not in CHANGES and not (event == "open" and opens_for_writing(*arguments)):
        return ""
    path = os.fsdecode(arguments[0]) if not isinstance(arguments[0], int) else ""
    if not path or any(path.startswith(name) for name in scratch):
        return ""
    return (
        f"changed the file {path}: a crash does not undo that. Write to the database, or declare"
        " effects = Effects.EXTERNAL."
    )


def opens_for_writing(path: Any, _mode: Any, flags: Any) -> bool:
    """Say whether an `open` may change a file; ignore Python's compiled modules."""
    if not isinstance(path, str | bytes) or not isinstance(flags, int):
        return False
    if not flags & WRITING_FLAGS:
        return False
    name = os.fsdecode(path)
    # tempfile.TemporaryFile opens the folder itself, for a file without a name
    return not (name == os.devnull or "__pycache__" in name or Path(name).is_dir())
