"""Notices new, changed and removed plugins without a restart.

Each process reads the table of registered categories, and the entry points of installed packages,
again after REFRESH_SECONDS. Each takes about 2 ms.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from categories.contract import fits
from categories.models import RegisteredCategory, Source
from categories.registry import import_threads, loading
from categories.registry.loaded import Entry, Loaded, broken, load_built_in, load_plugin

REFRESH_SECONDS = 2.0


class Record(NamedTuple):
    """A category's row in the database; `checked_at` changes with every registration."""

    name: str
    dotted_path: str
    version: str
    source: str
    is_enabled: bool
    checked_at: datetime
    unregistered_at: datetime | None


class Registry:
    """The categories that this process knows, kept in step with the database."""

    def __init__(self) -> None:
        self._looking = threading.RLock()  # only one thread asks the database
        self._exchanging = threading.RLock()
        self._is_held = False
        self._read_at = float("-inf")  # monotonic seconds
        self._seen: Any = None  # the records and packages of the last look
        self._built_in: dict[str, Entry] = {}  # by path
        self._plugins: dict[str, Loaded] = {}  # by path
        self._entries: list[Entry] = []
        self._by_name: dict[str, Entry] = {}

    def entries(self) -> list[Entry]:
        """Return every category, broken ones too."""
        self.refresh()
        return self._entries

    def find(self, name: str, *, version: str | None = None) -> Entry | None:
        """Return the category of this name, or None.

        If it is missing here, or does not fit the version requested, it may just have been
        registered. Then read the database again first.
        """
        self.refresh()
        entry = self._by_name.get(name)
        category = entry.category if entry else None
        if entry is None or (version and category and not fits(category, version)):
            self.expire()
            self.refresh()
        return self._by_name.get(name)

    def expire(self) -> None:
        """Read the database again before the next look-up."""
        self._read_at = float("-inf")

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Load no other code meanwhile, so that what an action imports late fits the action."""
        with self._exchanging:  # waits for an import that another thread has begun
            before, self._is_held = self._is_held, True
        try:
            yield
        finally:
            self._is_held = before

    def refresh(self) -> None:
        """Look at the table and the packages again, if the last look is old."""
        if not self._is_due():
            return
        with self._looking:
            if not self._is_due():
                return  # another thread has just looked
            records, packages = read_records(), loading.package_paths()
            with self._exchanging:
                if self._is_held:
                    return
                if (records, packages) != self._seen or self._has_outdated(records):
                    self._rebuild(records, packages)
                    self._seen = records, packages
                self._read_at = time.monotonic()

    def answers(self) -> dict[str, dict[str, str]]:
        """Return what this process says of each plugin: its version or its problem."""
        records = {record.name: record for record in self._seen[0]} if self._seen else {}
        return {
            entry.name: answer(entry, records.get(entry.name))
            for entry in self._entries
            if entry.source != Source.BUILT_IN
        }

    def _is_due(self) -> bool:
        if self._is_held or import_threads.is_importing():  # who looks now waits for that import
            return False
        return time.monotonic() - self._read_at >= REFRESH_SECONDS

    def _has_outdated(self, records: list[Record]) -> bool:
        marks = {record.dotted_path: record.checked_at for record in records}
        return any(
            loaded.is_outdated(marks.get(path, loaded.mark))
            for path, loaded in self._plugins.items()
        )

    def _rebuild(self, records: list[Record], packages: dict[str, str]) -> None:
        by_path = {record.dotted_path: record for record in records}
        by_name = {record.name: record for record in records}
        before, self._plugins = self._plugins, {}
        entries = [self._find_built_in(path, by_name) for path in loading.built_in_paths()]
        for path in packages:
            entries += self._find_of_package(path, by_path, by_name, before)
        for record in records:
            if record.source == Source.BUILT_IN or record.dotted_path in packages:
                continue
            if record.source == Source.REGISTERED and record.unregistered_at is None:
                entries.append(self._find_registered(record, before))
            elif record.unregistered_at is None and record.name not in names_of(entries):
                entries.append(not_installed(record))
        self._entries, self._by_name = refuse_repeated_names(entries)

    def _find_built_in(self, path: str, records: dict[str, Record]) -> Entry:
        """Return a category that ships; it needs no record, but its record may disable it."""
        if path not in self._built_in:
            self._built_in[path] = load_built_in(path)
        return enabled_by(records.get(self._built_in[path].name), self._built_in[path])

    def _find_of_package(
        self,
        path: str,
        by_path: dict[str, Record],
        by_name: dict[str, Record],
        before: dict[str, Loaded],
    ) -> list[Entry]:
        """Return the category that a package announces; none if it was unregistered.

        It needs no record. Its record may have the path that the package had before.
        """
        record = by_path.get(path)
        if record and record.unregistered_at:
            return []
        entry = self._load(path, record.name if record else path, Source.PACKAGE, record, before)
        record = record or by_name.get(entry.name)
        if record and record.source == Source.PACKAGE and record.unregistered_at:
            return []
        return [enabled_by(record, entry)]

    def _find_registered(self, record: Record, before: dict[str, Loaded]) -> Entry:
        """Return a category that was registered by its path."""
        entry = self._load(record.dotted_path, record.name, record.source, record, before)
        return enabled_by(record, replace(entry, name=record.name))

    def _load(
        self, path: str, name: str, source: str, record: Record | None, before: dict[str, Loaded]
    ) -> Entry:
        mark = record.checked_at if record else None
        loaded = before.get(path)
        if loaded is None or loaded.is_outdated(mark):
            loaded = load_plugin(path, name, source, mark, loaded)
        self._plugins[path] = loaded
        return loaded.entry


def read_records() -> list[Record]:
    """Return all rows of the table of categories, in one query."""
    rows = RegisteredCategory.objects.order_by("name").values_list(*Record._fields)
    return [Record._make(row) for row in rows]


def enabled_by(record: Record | None, entry: Entry) -> Entry:
    """Return the entry, disabled if its record says so."""
    return replace(entry, is_enabled=record is None or record.is_enabled)


def names_of(entries: list[Entry]) -> set[str]:
    """Return the names of these categories."""
    return {entry.name for entry in entries}


def not_installed(record: Record) -> Entry:
    """Return the entry of a package's category whose package is gone."""
    problem = "no installed package announces it any more"
    return Entry(record.name, record.dotted_path, record.source, record.is_enabled, problem=problem)


def answer(entry: Entry, record: Record | None) -> dict[str, str]:
    """Return what this process says of a plugin, and of which registration it knows."""
    return {
        "mark": record.checked_at.isoformat() if record else "",
        "version": entry.category.version if entry.category else "",
        "problem": entry.problem or describe_other_version(entry, record),
    }


def describe_other_version(entry: Entry, record: Record | None) -> str:
    """Return how the version that this process finds differs from the registered one, or ""."""
    if record is None or entry.category is None or entry.category.version == record.version:
        return ""
    return f"it finds version {entry.category.version}; version {record.version} is registered"


def refuse_repeated_names(entries: list[Entry]) -> tuple[list[Entry], dict[str, Entry]]:
    """Return all entries, and the first one of each name; mark repeated names as broken."""
    by_name: dict[str, Entry] = {}
    checked = []
    for entry in entries:
        first = by_name.setdefault(entry.name, entry)
        if first is not entry:
            problem = f"the name {entry.name!r} belongs to {first.dotted_path}"
            entry = broken(entry.name, entry.dotted_path, entry.source, problem)  # noqa: PLW2901
        checked.append(entry)
    return checked, by_name
