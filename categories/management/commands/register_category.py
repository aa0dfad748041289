"""How is a category put into service without a restart?"""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from categories.command_line import CategoryCommand
from categories.registry.refreshing import REFRESH_SECONDS
from categories.registry.registering import register


class Command(CategoryCommand):
    """Import a category, check it, and record it."""

    help = (
        "Import a category, check it, and record it. Web and workers use it within seconds; "
        "its code has to be importable by them too. Run it again after raising the version."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("dotted_path", help="package.module.Class")

    def run(self, **options: Any) -> None:
        """Register it, and say what it offers."""
        folder = str(Path.cwd())
        if folder not in sys.path:  # the servers are started there, too
            sys.path.append(folder)
        category = register(options["dotted_path"], by=getpass.getuser())
        actions = ", ".join(action.name for action in category.actions)
        self.stdout.write(
            f"Registered {category.name}, version {category.version}: {actions}.\n"
            f"Every process knows it within {REFRESH_SECONDS:.0f} seconds."
        )
