"""Lists and explains categories and actions at the terminal."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from categories import registry
from categories.contract import Action, settings
from categories.contract.docs_page import write_page
from categories.contract.rows import OutputShape
from categories.errors import CategoryError
from categories.models import Source
from piston.command_line import DatabaseCommand


class Command(DatabaseCommand):
    """Show the categories, the actions of one, or everything about an action."""

    expected = (CategoryError,)
    # a broken category must not stop this command, which shows the problem
    requires_system_checks: list[str] = []

    help = "Show all categories, the actions of one, or the columns and rules of an action."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("category", nargs="?")
        parser.add_argument("action", nargs="?")
        parser.add_argument(
            "--markdown", action="store_true", help="write the docs page of all categories, or one"
        )

    def run(self, **options: Any) -> None:
        """Print all categories, one category, or one action."""
        category, action = options["category"], options["action"]
        if options["markdown"]:
            found = [registry.get_category(category)] if category else registry.all_categories()
            lines: Iterable[str] = [write_page(found).rstrip("\n")]
        elif category is None:
            lines = describe_all()
        elif action is None:
            lines = describe_category(category)
        else:
            lines = describe_action(registry.get_action(category, action)[1])
        for line in lines:
            self.stdout.write(line)


def describe_all() -> Iterator[str]:
    """Yield the state of each category, and its actions or its problem."""
    for entry in sorted(registry.all_entries(), key=lambda entry: entry.name):
        state = (
            "broken" if entry.category is None else "enabled" if entry.is_enabled else "disabled"
        )
        version = f" {entry.category.version}" if entry.category else ""
        yield f"{entry.name}{version} ({state}; {Source(entry.source).label})"
        yield f"    {entry.dotted_path}"
        if entry.category is None:
            yield f"    {entry.problem}"
        else:
            yield f"    {', '.join(action.name for action in entry.category.actions)}"


def describe_category(name: str) -> Iterator[str]:
    """Yield a category's documentation, its actions and its jobs."""
    category = registry.get_category(name)
    yield f"{category.name} {category.version}: {category.description}"
    if category.doc != category.description:
        yield category.doc
    for action in category.actions:
        yield f"  {action.name:24} {action.description}"
    for job in category.periodic:
        yield f"  every {job.every}: {job.name:11} {job.description}"
    for variable, value, source, about in settings.describe_settings(category):
        yield f"  {variable}={value} ({source})  {about}"


def describe_action(action: type[Action]) -> Iterator[str]:
    """Yield an action's documentation, its columns with their rules, and its output."""
    yield f"{action.name}: {action.description}"
    if action.doc != action.description:
        yield action.doc
    if not action.takes_input:
        yield "Input: none"
    for column in action.columns:
        need = "mandatory" if column.mandatory else "optional"
        yield f"  {column.name:24} {need:9}  {column.help}"
        yield f"  {'':24} {'':9}  {column.rule}; for example {column.example}"
    names = ", ".join(OutputShape(action).header)
    kept = "" if action.replaces_header or not action.takes_input else "the input's columns, "
    yield f"Output: {kept}{names}"
    for error in action.errors:
        yield f"  {'error':24} {error}"
