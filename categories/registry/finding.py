"""Finds categories and actions: those that ship, those of packages, and registered ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from categories.contract import Action, Category
from categories.errors import BrokenCategory, DisabledCategory, UnknownAction, UnknownCategory
from categories.registry import schemas
from categories.registry.loaded import Entry
from categories.registry.refreshing import Registry

_registry = Registry()
_overlay: dict[str, type[Category]] = {}  # categories that tests add, by name


def get_category(
    name: str, *, version: str | None = None, for_new_task: bool = False
) -> type[Category]:
    """Return the category of this name, in `version` if this process has it.

    The caller must ask whether the version `fits`. Raises UnknownCategory, or its subclasses
    BrokenCategory and, with `for_new_task`, DisabledCategory.
    """
    if name in _overlay:
        return _overlay[name]
    entry = _registry.find(name, version=version)
    if entry is None:
        raise UnknownCategory(name, known_names())
    if entry.category is None:
        raise BrokenCategory(name, known_names(), entry.problem)
    if for_new_task and not entry.is_enabled:
        raise DisabledCategory(name, known_names())
    return entry.category


def get_action(
    category: str, action: str, *, version: str | None = None, for_new_task: bool = False
) -> tuple[type[Category], type[Action]]:
    """Return the category and its action; raise UnknownCategory or UnknownAction."""
    found = get_category(category, version=version, for_new_task=for_new_task)
    for candidate in found.actions:
        if candidate.name == action:
            return found, candidate
    raise UnknownAction(category, action, (known.name for known in found.actions))


def all_categories() -> list[type[Category]]:
    """Return the categories that take new tasks, by name."""
    usable = {
        entry.name: entry.category
        for entry in _registry.entries()
        if entry.category is not None and entry.is_enabled
    }
    usable |= _overlay
    return [usable[name] for name in sorted(usable)]


def known_names() -> list[str]:
    """Return the names of the categories that take new tasks."""
    return [category.name for category in all_categories()]


def offered() -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """Return the name, versions and actions of each category that this process can run.

    Its own version comes first, then those whose tasks it goes on with.
    """
    usable = {
        entry.name: entry.category for entry in _registry.entries() if entry.category is not None
    }
    usable |= _overlay
    return tuple(
        (
            name,
            (category.version, *category.continues),
            tuple(action.name for action in category.actions),
        )
        for name, category in sorted(usable.items())
        if schemas.find_problem(category) is None
    )


def all_entries() -> list[Entry]:
    """Return every category with its state: enabled, disabled or broken."""
    return _registry.entries()


def expire() -> None:
    """Make this process read the registered categories again before the next look-up."""
    _registry.expire()


def refresh() -> None:
    """Notice what has changed, if the last look is old."""
    _registry.refresh()


def answers() -> dict[str, dict[str, str]]:
    """Return the version or the problem that this process has with each registered plugin."""
    return _registry.answers()


@contextmanager
def unchanged() -> Iterator[None]:
    """Load no other code meanwhile, so that what an action imports late fits the action."""
    with _registry.unchanged():
        yield


@contextmanager
def registered(*categories: type[Category]) -> Iterator[None]:
    """Add categories to this process's registry, for tests; they hide others of the same name."""
    before = dict(_overlay)
    _overlay.update({category.name: category for category in categories})
    try:
        yield
    finally:
        _overlay.clear()
        _overlay.update(before)
