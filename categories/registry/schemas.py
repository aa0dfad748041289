"""Does the database's schema fit the code of a category? Where it does not, others do its tasks.

Of our own apps alone, as with the platform's: which migrations of other authors may stand in the
database, after they were squashed, nobody knows here.
"""

from __future__ import annotations

from django.apps import apps

from categories.contract import Category
from piston.database.schema import Schema

of_categories: dict[str, Schema] = {}  # by the app's label


def remember() -> None:
    """Note which migrations the categories that ship have, as `Schema.remember` does."""
    for config in apps.get_app_configs():
        if config.name.startswith("categories."):
            of_categories[config.label] = Schema()
            of_categories[config.label].remember([config])


def find_problem(category: type[Category]) -> str | None:
    """Return how the database and the category's app differ; None when they fit."""
    app = apps.get_containing_app_config(category.__module__)
    schema = of_categories.get(app.label) if app else None
    return schema.find_problem() if schema else None
