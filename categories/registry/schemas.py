"""Compares the database's schema with a category's code; if they differ, other workers run it.

The database may have migrations of a plugin that its code lacks: its author may have squashed them.
"""

from __future__ import annotations

from django.apps import apps

from categories.contract import Category
from categories.registry import plugin_modules
from piston.database.schema import Schema

of_categories: dict[str, Schema] = {}  # by app label


def remember() -> None:
    """Remember the migrations of the categories' apps, as `Schema.remember` does."""
    of_plugins = plugin_modules.plugin_apps()
    for config in apps.get_app_configs():
        if config.name.startswith("categories.") or config.name in of_plugins:
            of_categories[config.label] = Schema(is_of_plugin=config.name in of_plugins)
            of_categories[config.label].remember([config])


def find_problem(category: type[Category]) -> str | None:
    """Return how the database and the category's app differ; None if they fit."""
    app = apps.get_containing_app_config(category.__module__)
    schema = of_categories.get(app.label) if app else None
    return schema.find_problem() if schema else None
