"""Write all quantities as JSON lines: `export_quantities > FILE`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from categories.services.exchange import export_lines


class Command(BaseCommand):
    """Write all quantities, one account and month a line."""

    help = "Write all quantities as JSON lines, to be read by import_quantities."

    def handle(self, *args: Any, **options: Any) -> None:
        """Write line by line."""
        for line in export_lines():
            self.stdout.write(line)
