"""What do all commands about categories share? One sentence when something is wrong."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from categories.errors import CategoryError
from piston import disk_reserve


class CategoryCommand(BaseCommand):
    """A command whose `run` may raise what the registry raises.

    No system checks: a broken category must not keep people from looking at it.
    """

    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run; turn what can go wrong into a CommandError."""
        try:
            self.run(**options)
        except CategoryError as error:
            raise CommandError(str(error)) from error
        except (OperationalError, ProgrammingError) as error:
            if disk_reserve.is_full(error):
                raise  # manage.py says what to do
            raise CommandError(
                f"The database does not answer as it should ({str(error).strip()}). "
                "Is it running, and has `manage.py migrate` been run?"
            ) from error

    def run(self, **options: Any) -> None:
        """Do what the command is for."""
        raise NotImplementedError
