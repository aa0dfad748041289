"""Finds the Django apps of plugins: those of PISTON_APPS, and those of packages with categories.

It reads no settings, because the settings list these apps.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "piston.categories"
SIGNS_OF_AN_APP = ("apps.py", "migrations")  # in a package


def find_apps(named: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Return the apps of PISTON_APPS, then those of packages, without those that are `taken`.

    Raises ImproperlyConfigured for one of PISTON_APPS that cannot be loaded.
    """
    found: dict[str, str] = dict.fromkeys(taken, "")  # the app's package -> entry
    for entry in named:
        try:
            found.setdefault(AppConfig.create(entry).name, entry)
        except Exception as error:
            raise ImproperlyConfigured(
                f"PISTON_APPS names {entry!r}, which is no Django app that can be loaded:"
                f" {type(error).__name__}: {error}"
            ) from error
    for package in packages_with_apps():
        if package not in found and is_loadable(package):
            found[package] = package
    return [entry for entry in found.values() if entry]


def is_loadable(package: str) -> bool:
    """Say whether Django can load a package's app; if not, log why.

    One broken package must not keep the server from starting: only its category is broken.
    """
    try:
        AppConfig.create(package)
    except Exception:
        logger.exception("The Django app of the installed package %s cannot be loaded", package)
        return False
    return True


def packages_with_apps() -> Iterator[str]:
    """Yield the Django apps of installed packages that announce a category."""
    for entry in read_entry_points():
        if package := find_app_package(entry.value.partition(":")[0].strip()):
            yield package


def read_entry_points() -> list[EntryPoint]:
    """Return the categories that installed packages announce.

    A package whose file of entry points cannot be read hides no other: any package may have one.
    """
    try:
        return list(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))
    except Exception:  # noqa: BLE001 - such as a malformed file, or one that pip is writing
        return list(read_one_by_one())


def read_one_by_one() -> Iterator[EntryPoint]:
    """Yield the categories that packages announce, the first package of each name only; slow."""
    seen = set()
    for package in importlib.metadata.distributions():
        try:
            name, announced = package.name, package.entry_points.select(group=ENTRY_POINT_GROUP)
        except Exception as error:  # noqa: BLE001 - see above
            warn_once(f"{type(error).__name__}: {error}")
            continue
        if name not in seen:
            yield from announced
        seen.add(name)


@cache
def warn_once(problem: str) -> None:
    """Log that a package is left out."""
    logger.warning("The entry points of an installed package cannot be read: %s", problem)


def find_app_package(module_path: str) -> str | None:
    """Return the innermost package around a module that is a Django app; None if none is.

    It has an `apps.py` or migrations. This imports nothing.
    """
    found = None
    search: list[str] | None = None
    names = module_path.split(".")
    for count in range(1, len(names) + 1):
        name = ".".join(names[:count])
        spec = None
        with suppress(ValueError):  # of a name that no module can have
            spec = find_spec(name) if search is None else PathFinder.find_spec(name, search)
        if spec is None or spec.submodule_search_locations is None:
            break
        search = list(spec.submodule_search_locations)
        if any(Path(folder, sign).exists() for folder in search for sign in SIGNS_OF_AN_APP):
            found = name
    return found
