"""Registers, unregisters, enables and disables categories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import QuerySet
from django.utils import timezone

from categories import registry
from categories.contract import Category
from categories.errors import RegistrationRefused, UnknownCategory
from categories.models import RegisteredCategory, Source
from categories.registry import import_threads, loading, schemas
from categories.registry.loaded import Entry, load_built_in, load_plugin


def register(name_or_path: str, *, by: str | None = None) -> tuple[type[Category], datetime]:
    """Import and check a category from its current code, and record it.

    Returns its class and the time that marks this registration. Registering again records the new
    version. Raises CannotLoad, RegistrationRefused.
    """
    packages = loading.package_paths()
    dotted_path = find_path(name_or_path, packages)
    if dotted_path in loading.built_in_paths():
        raise RegistrationRefused(f"{dotted_path} is in use without being registered.")
    category = import_threads.reload_in_time(dotted_path)
    if holder := find_holder(category.name, dotted_path, packages):
        raise RegistrationRefused(f"The name {category.name!r} belongs to {holder}.")
    if problem := schemas.find_problem(category) or schemas.find_missing(category):
        raise RegistrationRefused(problem)
    now = timezone.now()
    found = {
        "dotted_path": dotted_path,
        "version": category.version,
        "source": Source.PACKAGE if dotted_path in packages else Source.REGISTERED,
        "checked_at": now,
        "unregistered_at": None,
    }
    with transaction.atomic():
        # a class with a new name must not leave its old record behind
        RegisteredCategory.objects.filter(dotted_path=dotted_path).exclude(
            name=category.name
        ).delete()
        RegisteredCategory.objects.update_or_create(
            name=category.name,
            defaults=found,
            create_defaults=found | {"registered_at": now, "registered_by": by},
        )
    registry.expire()
    return category, now


def find_path(name_or_path: str, packages: dict[str, str]) -> str:
    """Return the dotted path of a category that is named by it, or by its name.

    A name is that of an entry point, or of a category that was registered before.
    """
    if "." in name_or_path or ":" in name_or_path:
        return loading.path_of(name_or_path)
    for path, entry_point in packages.items():
        if entry_point == name_or_path:
            return path
    if record := RegisteredCategory.objects.filter(name=name_or_path).first():
        return record.dotted_path
    known = ", ".join(sorted(packages.values())) or "none"
    raise loading.CannotLoad(
        f"No installed package announces {name_or_path!r}, and it is not a dotted path like"
        f" package.module.Class. Announced: {known}."
    )


def find_holder(name: str, dotted_path: str, packages: dict[str, str]) -> str:
    """Return the dotted path of another category with this name; "" if the name is free."""
    for entry in registry.all_entries():
        is_moved = entry.source == Source.PACKAGE and entry.dotted_path not in packages
        if entry.name == name and entry.dotted_path != dotted_path and not is_moved:
            return entry.dotted_path
    return ""


def unregister(name: str) -> None:
    """Take a category out of service. Raises UnknownCategory, RegistrationRefused.

    Its tasks can no longer run. If an installed package announces it, its record remembers that it
    is unregistered; registering it brings it back.
    """
    registry.expire()
    entry = next((entry for entry in registry.all_entries() if entry.name == name), None)
    if entry is None:
        raise UnknownCategory(name, registry.known_names())
    if entry.source == Source.BUILT_IN:
        raise RegistrationRefused(
            f"{name!r} {Source.BUILT_IN.label}: disable it instead of unregistering it."
        )
    if entry.dotted_path in loading.package_paths():
        now = timezone.now()
        version = entry.category.version if entry.category else "unknown"
        RegisteredCategory.objects.update_or_create(
            name=name,
            defaults={"source": Source.PACKAGE, "checked_at": now, "unregistered_at": now},
            create_defaults={
                "dotted_path": entry.dotted_path,
                "version": version,
                "source": Source.PACKAGE,
                "checked_at": now,
                "unregistered_at": now,
            },
        )
    else:
        RegisteredCategory.objects.filter(name=name).delete()
    registry.expire()


def set_enabled(names: list[str], *, is_enabled: bool) -> int:
    """Enable or disable categories; return how many changed."""
    changed = RegisteredCategory.objects.filter(name__in=names).exclude(is_enabled=is_enabled)
    count = changed.update(is_enabled=is_enabled)
    registry.expire()
    return count


# ---- After a migration ---------------------------------------------------------------------------


def record_shipped(*, using: str = DEFAULT_DB_ALIAS) -> None:
    """Record the categories that need no registration, so that staff can see and disable them.

    Runs after every migration. The system check reports broken ones. Those of packages stay
    unregistered if they are.
    """
    records = RegisteredCategory.objects.using(using)
    packages = loading.package_paths()
    built_in = [load_built_in(path) for path in loading.built_in_paths()]
    for entry in [*built_in, *find_of_packages(records, packages)]:
        if entry.category is not None:
            write_record(records, entry, entry.category.version)
    names = {entry.name for entry in built_in}
    gone = records.exclude(source=Source.REGISTERED).filter(unregistered_at=None)
    gone.exclude(name__in=names).exclude(dotted_path__in=packages).delete()
    registry.expire()


def find_of_packages(
    records: QuerySet[RegisteredCategory], packages: Iterable[str]
) -> Iterator[Entry]:
    """Yield the categories of installed packages, without those whose name is another's."""
    known = {record.name: record for record in records}
    for path in packages:
        entry = load_plugin(path, path, Source.PACKAGE, None, None).entry
        holder = known.get(entry.name)
        if holder is None or holder.source == Source.PACKAGE or holder.dotted_path == path:
            yield entry


def write_record(records: QuerySet[RegisteredCategory], entry: Entry, version: str) -> None:
    """Record what has changed; the time changes with it, so that processes load it again."""
    found = {"dotted_path": entry.dotted_path, "version": version, "source": entry.source}
    if not records.filter(name=entry.name, **found).exists():
        records.update_or_create(name=entry.name, defaults=found | {"checked_at": timezone.now()})
