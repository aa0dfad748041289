"""Takes a registered category out of service."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from categories.errors import CategoryError
from categories.registry.registering import unregister
from piston.command_line import DatabaseCommand


class Command(DatabaseCommand):
    """Remove a category from the registry."""

    expected = (CategoryError,)
    # a broken category must not stop this command, which may remove it
    requires_system_checks: list[str] = []

    help = (
        "Remove a category from the registry. Tasks of it that run end as internal_error; "
        "to let them end well, disable it in the admin first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("name", help="as list_categories shows it")

    def run(self, **options: Any) -> None:
        """Unregister it."""
        unregister(options["name"])
        self.stdout.write(f"Unregistered {options['name']}.")
