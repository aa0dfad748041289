"""What a process has loaded: categories, each with its registration or its problem."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from categories.contract import Category, settings
from categories.models import Source
from categories.registry import import_threads, loading

logger = logging.getLogger(__name__)

RETRY_SECONDS = 10.0  # before a broken plugin is imported again: what it lacks may have come

Mark = datetime | None  # the time of a registration; None: an installed package, not registered


@dataclass(frozen=True)
class Entry:
    """A category as this process sees it; a broken one has a problem and no class."""

    name: str
    dotted_path: str
    source: str
    is_enabled: bool = True
    category: type[Category] | None = None
    problem: str = ""


@dataclass(frozen=True)
class Loaded:
    """An import of a plugin: for which registration, when, and from which file."""

    entry: Entry
    mark: Mark
    loaded_at: float  # monotonic seconds
    file: Path | None

    def is_outdated(self, mark: Mark) -> bool:
        """Say whether it must be imported again: registered anew, its file gone, or broken."""
        if self.entry.category is None:
            is_old = time.monotonic() - self.loaded_at >= RETRY_SECONDS
        else:
            is_old = self.file is not None and not self.file.exists()
        return is_old or self.mark != mark


def load_plugin(path: str, name: str, source: str, mark: Mark, last: Loaded | None) -> Loaded:
    """Import a plugin's current code; log what is wrong with it, unless it was so at the `last`."""
    try:
        category = import_threads.reload_in_time(path, mark)
    except loading.CannotLoad as error:
        entry = broken(name, path, source, str(error), last.entry.problem if last else "")
        return Loaded(entry, mark, time.monotonic(), None)
    for unknown in settings.find_unknown(category):  # the system check warns of those that ship
        logger.warning("%s", unknown)
    entry = Entry(category.name, path, source, category=category)
    return Loaded(entry, mark, time.monotonic(), find_file(category))


def load_built_in(path: str) -> Entry:
    """Import a category that ships."""
    try:
        category = loading.load_category(path)
    except loading.CannotLoad as error:
        return broken(path, path, Source.BUILT_IN, str(error))
    return Entry(category.name, path, Source.BUILT_IN, category=category)


def broken(name: str, path: str, source: str, problem: str, known_problem: str = "") -> Entry:
    """Return the entry of a category that cannot be used, and log that unless it is known."""
    if problem != known_problem:
        logger.error("the category %s cannot be used: %s", name, problem)
    return Entry(name, path, source, problem=problem)


def find_file(category: type[Category]) -> Path | None:
    """Return the file of a category's module; None if it has none, as in a zip."""
    file = getattr(sys.modules.get(category.__module__), "__file__", None)
    return Path(file) if file and Path(file).exists() else None
