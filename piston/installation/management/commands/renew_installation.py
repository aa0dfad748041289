"""What if this database is a copy that is to run beside its original? It gets an id of its own."""

from __future__ import annotations

from typing import Any

from piston.command_line import DatabaseCommand
from piston.installation.models import Installation, make_key


class Command(DatabaseCommand):
    """Give this installation another id."""

    help = (
        "Give this installation another id: for a copy of a database that is to share the broker"
        " of its original. Web, workers and beat have to be stopped."
    )

    def run(self, **options: Any) -> None:
        """Write another id down."""
        del options  # there are none
        row, _ = Installation.objects.update_or_create(pk=1, defaults={"key": make_key()})
        self.stdout.write(row.key)
