"""Prints the environment variables for the processes of the Procfile: `make env`."""

from __future__ import annotations

import re
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from piston.processes.supervision import process_environment

PLAIN = re.compile(r"[^\s'\"\\$`#]*")  # means the same to a shell, make, Docker and systemd


class Command(BaseCommand):
    """Print KEY=VALUE lines, and nothing else, on standard output."""

    help = (
        "Bring the database up to date and print the variables that web, worker and beat need,"
        " as KEY=VALUE lines."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate, so that a process with these variables finds its tables; print them."""
        variables = process_environment()
        for name, value in variables.items():
            if not PLAIN.fullmatch(value):
                raise CommandError(
                    f"{name} holds a space, a quote or one of \\ $ ` #, which not every tool reads"
                    " alike. Choose another value."
                )
        call_command("migrate", verbosity=0, interactive=False)
        for name, value in sorted(variables.items()):
            self.stdout.write(f"{name}={value}")
