"""Puts a category into service without a restart."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from categories.errors import CategoryError
from categories.management.reporting import report
from categories.registry.asking import ask_about
from categories.registry.registering import register
from piston.command_line import DatabaseCommand


class Command(DatabaseCommand):
    """Import a category, check it, record it, and report what each running process made of it."""

    expected = (CategoryError,)
    # a broken category must not stop this command, which may repair it
    requires_system_checks: list[str] = []

    help = (
        "Import a category, check it, and record it. Prints what each running process of web and"
        " workers answers, and fails if one of them cannot load it or does not answer. Run it"
        " again after each new version."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "category",
            help="package.module.Class, or the name of an installed package's entry point",
        )

    def run(self, **options: Any) -> None:
        """Register the category, and print its actions and the answers."""
        folder = str(Path.cwd())
        if folder not in sys.path:  # the servers also start in this folder
            sys.path.append(folder)
        category, mark = register(options["category"], by=getpass.getuser())
        actions = ", ".join(action.name for action in category.actions)
        self.stdout.write(f"Registered {category.name}, version {category.version}: {actions}.")
        answers = ask_about(category.name, mark)
        report(self.stdout, answers, f"version {category.version}")
