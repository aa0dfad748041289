"""Takes a registered category out of service."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from categories.errors import CategoryError
from categories.management.reporting import report
from categories.registry.asking import ask_whether_gone
from categories.registry.registering import unregister
from piston.command_line import DatabaseCommand


class Command(DatabaseCommand):
    """Take a category out of service."""

    expected = (CategoryError,)
    # a broken category must not stop this command, which may remove it
    requires_system_checks: list[str] = []

    help = (
        "Take a category out of service, also if its package stays installed; register_category"
        " brings it back. Its running tasks wait until it is back, for a day at most: to let them"
        " end well, disable it in the admin first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("name", help="as list_categories shows it")

    def run(self, **options: Any) -> None:
        """Unregister it, and print which processes have followed."""
        unregister(options["name"])
        self.stdout.write(f"Unregistered {options['name']}.")
        report(self.stdout, ask_whether_gone(options["name"]), "no longer has it")
