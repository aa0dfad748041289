"""Notices new plugins without a restart: reads the table of registered categories again.

Each process caches the table for REFRESH_SECONDS and then reads it again. It is tiny.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

from categories.contract import Category, settings
from categories.models import RegisteredCategory, Source
from categories.registry import loading

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 2.0


class Record(NamedTuple):
    """A category's row in the database; `checked_at` changes with every registration."""

    name: str
    dotted_path: str
    version: str
    source: str
    is_enabled: bool
    checked_at: object


@dataclass(frozen=True)
class Entry:
    """A category as this process sees it; a broken one has a problem and no class."""

    name: str
    dotted_path: str
    source: str
    is_enabled: bool = True
    category: type[Category] | None = None
    problem: str = ""


class Registry:
    """The categories that this process knows, kept in step with the database."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._read_at = float("-inf")  # monotonic seconds
        self._records: list[Record] | None = None
        self._loaded: dict[str, tuple[object, Entry]] = {}  # path -> (its record's mark, entry)
        self._entries: list[Entry] = []
        self._by_name: dict[str, Entry] = {}

    def entries(self) -> list[Entry]:
        """Return every category, broken ones too."""
        self._refresh()
        return self._entries

    def find(self, name: str, *, version: str | None = None) -> Entry | None:
        """Return the category of this name, or None.

        If it is missing here, or has another version than the one requested, it may just have
        been registered. Then read the database again first.
        """
        self._refresh()
        entry = self._by_name.get(name)
        if entry is None or (version and entry.category and entry.category.version != version):
            self.expire()
            self._refresh()
        return self._by_name.get(name)

    def expire(self) -> None:
        """Read the database again before the next look-up."""
        self._read_at = float("-inf")

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at < REFRESH_SECONDS:
            return
        with self._lock:
            if time.monotonic() - self._read_at < REFRESH_SECONDS:
                return  # another thread has just read it
            records = read_records()
            if records != self._records:
                self._rebuild({record.name: record for record in records})
                self._records = records
            self._read_at = time.monotonic()

    def _rebuild(self, records: dict[str, Record]) -> None:
        shipped = [
            *((path, Source.BUILT_IN) for path in loading.built_in_paths()),
            *((path, Source.PACKAGE) for path in loading.package_paths()),
        ]
        entries = [self._load_shipped(path, source, records) for path, source in shipped]
        entries += [
            self._load_registered(record)
            for record in records.values()
            if record.source == Source.REGISTERED
        ]
        self._entries, self._by_name = refuse_repeated_names(entries)

    def _load_shipped(self, path: str, source: str, records: dict[str, Record]) -> Entry:
        """Return a category that ships; it needs no record, but its record may disable it."""
        if path not in self._loaded:
            self._loaded[path] = (None, load_entry(path, path, source))
        entry = self._loaded[path][1]
        record = records.get(entry.name)
        return replace(entry, is_enabled=record is None or record.is_enabled)

    def _load_registered(self, record: Record) -> Entry:
        """Return a registered category; reload it if a new version was registered."""
        mark, entry = self._loaded.get(record.dotted_path, (None, None))
        is_changed = entry is not None and mark != record.checked_at
        if entry is None:
            entry = load_entry(record.name, record.dotted_path, record.source)
        if is_outdated(entry, record) and (is_changed or entry.category is not None):
            entry = load_entry(record.name, record.dotted_path, record.source, anew=True)
        if entry.category is not None and entry.category.version != record.version:
            logger.warning(
                "%s is registered as version %s, but this process finds version %s",
                record.name, record.version, entry.category.version,
            )  # fmt: skip
        self._loaded[record.dotted_path] = (record.checked_at, entry)
        return replace(entry, name=record.name, is_enabled=record.is_enabled)


def read_records() -> list[Record]:
    """Return all rows of the table of categories, in one query."""
    rows = RegisteredCategory.objects.order_by("name").values_list(*Record._fields)
    return [Record._make(row) for row in rows]


def is_outdated(entry: Entry, record: Record) -> bool:
    """Say whether a registered category must be imported again."""
    return entry.category is None or entry.category.version != record.version


def load_entry(name: str, path: str, source: str, *, anew: bool = False) -> Entry:
    """Import a category; if it is broken, log that and return an entry with the problem."""
    try:
        category = loading.reload_category(path) if anew else loading.load_category(path)
    except loading.CannotLoad as error:
        logger.error("the category %s cannot be used: %s", name, error)  # noqa: TRY400
        return Entry(name, path, source, problem=str(error))
    if source != Source.BUILT_IN:  # the system check warns of the others
        for unknown in settings.find_unknown(category):
            logger.warning("%s", unknown)
    return Entry(category.name, path, source, category=category)


def refuse_repeated_names(entries: list[Entry]) -> tuple[list[Entry], dict[str, Entry]]:
    """Return all entries, and the first one of each name; mark repeated names as broken."""
    by_name: dict[str, Entry] = {}
    checked = []
    for entry in entries:
        first = by_name.setdefault(entry.name, entry)
        if first is not entry:
            problem = f"the name {entry.name!r} belongs to {first.dotted_path}"
            logger.error("the category at %s cannot be used: %s", entry.dotted_path, problem)
            entry = replace(entry, category=None, problem=problem)  # noqa: PLW2901
        checked.append(entry)
    return checked, by_name
