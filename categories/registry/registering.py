"""Registers, unregisters, enables and disables categories."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, transaction
from django.utils import timezone

from categories import registry
from categories.contract import Category
from categories.errors import RegistrationRefused, UnknownCategory
from categories.models import RegisteredCategory, Source
from categories.registry import loading
from categories.registry.refreshing import load_entry


def register(dotted_path: str, *, by: str | None = None) -> type[Category]:
    """Import and check a category from its current code, and record it; return its class.

    Registering a path again records its new version. Raises CannotLoad, RegistrationRefused.
    """
    if dotted_path in {*loading.built_in_paths(), *loading.package_paths()}:
        raise RegistrationRefused(f"{dotted_path} is in use without being registered.")
    category = loading.reload_category(dotted_path)
    holder = find_holder(category.name, dotted_path)
    if holder:
        raise RegistrationRefused(f"The name {category.name!r} belongs to {holder}.")
    now = timezone.now()
    with transaction.atomic():
        # a class with a new name must not leave its old record behind
        RegisteredCategory.objects.filter(
            dotted_path=dotted_path, source=Source.REGISTERED
        ).exclude(name=category.name).delete()
        RegisteredCategory.objects.update_or_create(
            name=category.name,
            defaults={"version": category.version, "checked_at": now},
            create_defaults={
                "dotted_path": dotted_path,
                "version": category.version,
                "source": Source.REGISTERED,
                "registered_at": now,
                "registered_by": by,
                "checked_at": now,
            },
        )
    registry.expire()
    return category


def find_holder(name: str, dotted_path: str) -> str:
    """Return the dotted path of another category with this name; "" if the name is free."""
    for path in (*loading.built_in_paths(), *loading.package_paths()):
        if load_entry(path, path, Source.PACKAGE).name == name:
            return path
    records = RegisteredCategory.objects.filter(name=name).exclude(dotted_path=dotted_path)
    return records.values_list("dotted_path", flat=True).first() or ""


def unregister(name: str) -> None:
    """Remove a registered category; its tasks can no longer run. Raises UnknownCategory."""
    record = RegisteredCategory.objects.filter(name=name).first()
    if record is None:
        raise UnknownCategory(name, registry.known_names())
    if record.source != Source.REGISTERED:
        raise RegistrationRefused(
            f"{name!r} {record.get_source_display()}: disable it instead of unregistering it."
        )
    record.delete()
    registry.expire()


def set_enabled(names: list[str], *, is_enabled: bool) -> int:
    """Enable or disable categories; return how many changed."""
    changed = RegisteredCategory.objects.filter(name__in=names).exclude(is_enabled=is_enabled)
    count = changed.update(is_enabled=is_enabled)
    registry.expire()
    return count


def record_shipped(*, using: str = DEFAULT_DB_ALIAS) -> None:
    """Record the categories that need no registration, so that staff can see and disable them.

    Runs after every migration. The system check reports broken ones.
    """
    now = timezone.now()
    records = RegisteredCategory.objects.using(using)
    shipped = []
    for source, paths in (
        (Source.BUILT_IN, loading.built_in_paths()),
        (Source.PACKAGE, loading.package_paths()),
    ):
        for path in paths:
            entry = load_entry(path, path, source)
            if entry.category is None:
                continue
            shipped.append(entry.name)
            records.update_or_create(
                name=entry.name,
                defaults={
                    "dotted_path": path,
                    "version": entry.category.version,
                    "source": source,
                    "checked_at": now,
                },
            )
    records.exclude(source=Source.REGISTERED).exclude(name__in=shipped).delete()
    registry.expire()
