"""Read quantities from a file of JSON lines: `import_quantities FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from categories.services.errors import BadQuantities
from categories.services.exchange import import_lines
from piston.plurals import plural


class Command(BaseCommand):
    """Store the quantities of a file, all or none."""

    help = "Store the quantities of a file of JSON lines; a line replaces its month. All or none."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file."""
        parser.add_argument("file", type=Path, help="as export_quantities writes it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import the file and say how many lines it had, or what is wrong with it."""
        path: Path = options["file"]
        try:
            with path.open("rb") as lines:
                count = import_lines(lines)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except BadQuantities as error:
            raise CommandError(str(error)) from error

        self.stdout.write(f"Imported {count} {plural('line', count)} of quantities.")
