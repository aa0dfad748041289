"""Puts a category into service without a restart."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from categories.errors import CategoryError
from categories.registry.refreshing import REFRESH_SECONDS
from categories.registry.registering import register
from piston.command_line import DatabaseCommand


class Command(DatabaseCommand):
    """Import a category, check it, and record it."""

    expected = (CategoryError,)
    # a broken category must not stop this command, which may repair it
    requires_system_checks: list[str] = []

    help = (
        "Import a category, check it, and record it. Web and workers use it within seconds; "
        "its code has to be importable by them too. Run it again after raising the version."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("dotted_path", help="package.module.Class")

    def run(self, **options: Any) -> None:
        """Register the category, and print its actions."""
        folder = str(Path.cwd())
        if folder not in sys.path:  # the servers also start in this folder
            sys.path.append(folder)
        category = register(options["dotted_path"], by=getpass.getuser())
        actions = ", ".join(action.name for action in category.actions)
        self.stdout.write(
            f"Registered {category.name}, version {category.version}: {actions}.\n"
            f"Every process knows it within {REFRESH_SECONDS:.0f} seconds."
        )
