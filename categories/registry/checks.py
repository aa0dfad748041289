"""System checks of the categories that ship, run by Django at start-up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core import checks

from categories.contract import Category, declaring, settings
from categories.errors import BrokenDeclaration
from categories.locations import Location
from categories.registry import loading


@checks.register("categories")
def check_categories(**_: Any) -> list[checks.CheckMessage]:
    """Return an error for each category of PISTON_CATEGORIES that cannot be used."""
    messages: list[checks.CheckMessage] = []
    names: Counter[str] = Counter()
    for path in loading.built_in_paths():
        try:
            category = loading.load_category(path)
        except loading.CannotLoad as error:
            messages.append(checks.Error(str(error), id="categories.E001"))
            continue
        names[category.name] += 1
        messages += check_category(category)
        messages += [
            checks.Warning(unknown, id="categories.W001")
            for unknown in settings.find_unknown(category)
        ]
    messages += [
        checks.Error(f"{count} categories are called {name!r}.", id="categories.E002")
        for name, count in names.items()
        if count > 1
    ]
    return messages


def check_category(category: type[Category]) -> list[checks.CheckMessage]:
    """Return an error, with file and line, for each problem of a category and its actions."""
    found: list[tuple[type, tuple[str, Location | None]]] = [
        (category, problem) for problem in declaring.find_category_problems(category)
    ]
    for action in category.actions:
        found += [(action, problem) for problem in declaring.find_action_problems(action)]
    return [
        checks.Error(
            str(BrokenDeclaration(subject.__qualname__, [sentence], *location)),
            id="categories.E003",
        )
        for subject, (sentence, line) in found
        for location in [line or declaring.location_of(subject)]
    ]
