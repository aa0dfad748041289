"""Django's configuration of the app, which records and checks the categories that ship."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CategoriesConfig(AppConfig):
    """The categories: registered ones, and when their periodic jobs ran."""

    name = "categories"
    verbose_name = "Categories"

    def ready(self) -> None:
        """Connect the system check, and remember what the apps of categories are like now.

        After each migration, the categories that ship are recorded. A process that serves requests
        or runs rows announces itself.
        """
        from categories.registry import (
            announcing,
            checks,  # noqa: F401 - registers itself
            path_files,
            plugin_modules,
            schemas,
        )

        schemas.remember()
        plugin_modules.remember_models()
        path_files.remember()
        announcing.install()
        post_migrate.connect(self._record_shipped, sender=self)

    @staticmethod
    def _record_shipped(using: str, **_: Any) -> None:
        from categories.registry import registering

        registering.record_shipped(using=using)
