"""Compares the database's schema with a category's code; if they differ, other workers run it.

The database may have migrations of a plugin that its code lacks: its author may have squashed them.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import AppConfig, apps
from django.db import connection

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


def find_missing(category: type[Category]) -> str | None:
    """Return what the database lacks of the tables of the category's app; None if all is there.

    Its author may have forgotten a migration. This asks for each table, so only a registration does
    it.
    """
    app = apps.get_containing_app_config(category.__module__)
    if app is None or not (missing := list(name_missing(app))):
        return None
    return (
        f"The database lacks {', '.join(missing)}. Make the migration in its source folder"
        f" (`manage.py makemigrations {app.label}`), then run `manage.py migrate`."
    )


def name_missing(app: AppConfig) -> Iterator[str]:
    """Yield the names of the tables and columns of an app's models that the database lacks."""
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor, include_views=True))
        for model in app.get_models(include_auto_created=True):
            options = model._meta
            if options.proxy or not options.managed or '"' in options.db_table:
                continue  # the last one is in a schema of its own
            if options.db_table not in tables:
                yield f"the table {options.db_table}"
                continue
            described = connection.introspection.get_table_description(cursor, options.db_table)
            columns = {column.name for column in described}
            for field in options.local_concrete_fields:
                if field.column not in columns:
                    yield f"the column {options.db_table}.{field.column}"
