"""Follows `.pth` files that pip has written or removed since this process started.

They lead to editable installs. Python reads them only when a process starts.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

SITE_FOLDERS = {"dist-packages", "site-packages"}  # where pip installs packages of many authors


class PathFile(NamedTuple):
    """A `.pth` file as it was read."""

    written_at: int  # nanoseconds
    lines: tuple[str, ...]


_read: dict[Path, PathFile] = {}


def remember() -> None:
    """Remember the files that Python has read at the start of this process."""
    _read.update({file: read(file) for file in find_files()})


def find_files() -> dict[Path, int]:
    """Return the `.pth` files on the import path, with their times in nanoseconds."""
    folders = [Path(folder) for folder in sys.path if Path(folder).name in SITE_FOLDERS]
    found = {}
    for file in (file for folder in folders for file in folder.glob("*.pth")):
        with suppress(OSError):  # pip has just removed it
            found[file] = file.stat().st_mtime_ns
    return found


def read(file: Path) -> PathFile:
    """Read a file; one that cannot be read has no lines."""
    try:
        return PathFile(file.stat().st_mtime_ns, tuple(file.read_text().splitlines()))
    except (OSError, ValueError):
        return PathFile(0, ())


def follow() -> None:
    """Do what new and changed files say, as Python does at a start; undo what is gone."""
    there = find_files()
    for file in _read.keys() | there.keys():
        before = _read.get(file, PathFile(0, ()))
        if file not in there:
            del _read[file]
            forget(file.parent, before.lines)
        elif before.written_at != there[file]:
            after = _read[file] = read(file)
            forget(file.parent, set(before.lines) - set(after.lines))
            obey(file, [line for line in after.lines if line not in before.lines])


def obey(file: Path, lines: list[str]) -> None:
    """Run the imports, and add the folders to the import path, that a file's lines name."""
    for line in lines:
        try:
            if is_code(line):
                exec(line)  # noqa: S102 - the line is code that Python runs at each start
            elif path := folder_of(file.parent, line):
                sys.path.append(path)
        except Exception:
            logger.exception("%s cannot be followed", file)


def forget(folder: Path, lines: set[str] | tuple[str, ...]) -> None:
    """Take the folders that lines named off the import path, unless another file names them."""
    kept = {line for file in _read.values() for line in file.lines}
    for line in set(lines) - kept:
        path = str((folder / line).resolve())
        if line.strip() and not is_code(line) and path in sys.path:
            sys.path.remove(path)


def is_code(line: str) -> bool:
    """Say whether Python runs the line."""
    return line.startswith(("import ", "import\t"))


def folder_of(folder: Path, line: str) -> str:
    """Return the folder that a line adds to the import path; "" if it adds none."""
    if not line.strip() or line.startswith("#"):
        return ""
    path = (folder / line.rstrip()).resolve()
    return str(path) if path.exists() and str(path) not in sys.path else ""
