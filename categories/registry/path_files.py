"""Follows `.pth` files that pip has written since this process started, for editable installs.

Python reads them only when a process starts.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

logger = logging.getLogger(__name__)

SITE_FOLDERS = {"dist-packages", "site-packages"}  # where pip installs packages of many authors

_read: dict[Path, int] = {}  # each file -> its time when it was read


def remember() -> None:
    """Remember the files that Python has read at the start of this process."""
    _read.update(find_files())


def find_files() -> dict[Path, int]:
    """Return the `.pth` files on the import path, with their times in nanoseconds."""
    folders = [Path(folder) for folder in sys.path if Path(folder).name in SITE_FOLDERS]
    files = [file for folder in folders for file in folder.glob("*.pth")]
    return {file: file.stat().st_mtime_ns for file in files if file.exists()}


def follow() -> None:
    """Do what new and changed files say, as Python's `site` does at a start."""
    for file, written_at in find_files().items():
        if _read.get(file) != written_at:
            _read[file] = written_at
            try:
                for line in file.read_text().splitlines():
                    obey(line.rstrip(), file.parent)
            except Exception:
                logger.exception("%s cannot be followed", file)


def obey(line: str, folder: Path) -> None:
    """Run the import, or add the folder to the import path, that a line names."""
    if line.startswith(("import ", "import\t")):
        exec(line)  # noqa: S102 - the line is code that Python runs at each start
    elif line and not line.startswith("#"):
        path = (folder / line).resolve()
        if path.exists() and str(path) not in sys.path:
            sys.path.append(str(path))
