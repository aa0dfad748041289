"""Compares the database's schema with a category's code; if they differ, other workers run it.

Only our own apps are compared. Other authors may have squashed their migrations, so this code
cannot know which ones their database should have.
"""

from __future__ import annotations

from django.apps import apps

from categories.contract import Category
from piston.database.schema import Schema

of_categories: dict[str, Schema] = {}  # by app label


def remember() -> None:
    """Remember the migrations of the categories that ship, as `Schema.remember` does."""
    for config in apps.get_app_configs():
        if config.name.startswith("categories."):
            of_categories[config.label] = Schema()
            of_categories[config.label].remember([config])


def find_problem(category: type[Category]) -> str | None:
    """Return how the database and the category's app differ; None if they fit."""
    app = apps.get_containing_app_config(category.__module__)
    schema = of_categories.get(app.label) if app else None
    return schema.find_problem() if schema else None
