"""What do all commands about categories share? One sentence when something is wrong."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from categories.errors import CategoryError
from piston.command_line import DatabaseCommand


class CategoryCommand(DatabaseCommand):
    """A command whose `run` may raise what the registry raises.

    No system checks: a broken category must not keep people from looking at it.
    """

    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run; turn what can go wrong into a CommandError."""
        try:
            super().handle(*args, **options)
        except CategoryError as error:
            raise CommandError(str(error)) from error
