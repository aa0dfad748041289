"""The base of all commands, which reports an error in one sentence without a traceback."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from piston import disk_reserve


class DatabaseCommand(BaseCommand):
    """A command whose `run` uses the database, and may raise an `expected` error."""

    expected: ClassVar[tuple[type[Exception], ...]] = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, and turn expected errors into a CommandError."""
        try:
            self.run(**options)
        except self.expected as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (OperationalError, ProgrammingError) as error:
            if disk_reserve.is_full(error):
                raise  # manage.py prints what to do
            raise CommandError(
                f"The database does not answer as it should ({str(error).strip()}). "
                "Is it running, and has `manage.py migrate` been run?"
            ) from error

    def run(self, **options: Any) -> None:
        """Do the command's work."""
        raise NotImplementedError
