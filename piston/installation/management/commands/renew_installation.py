"""Gives the copy of a database its own id, so that it can run beside its original."""

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
        """Store and print another id."""
        del options  # there are none
        row, _ = Installation.objects.update_or_create(pk=1, defaults={"key": make_key()})
        self.stdout.write(row.key)
