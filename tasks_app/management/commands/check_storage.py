"""Compares the files in storage with the database: `manage.py check_storage [--delete]`."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from piston.command_line import DatabaseCommand
from piston.plurals import plural
from tasks_app.errors import StorageUnavailable
from tasks_app.files import storage_check


class Command(DatabaseCommand):
    """Print each file without a row, and each row of a task without a file."""

    help = (
        "Compare the storage with the database. Exit code 0: they agree; 1: something is left"
        " that one of them does not know. Files with names that are not ours are passed over."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the option to delete files."""
        parser.add_argument(
            "--delete",
            action="store_true",
            help="delete files without a row at once; by itself that takes a week",
        )

    def run(self, **options: Any) -> None:
        """Compare folder by folder; print each difference, and the totals at the end."""
        delete = options["delete"]
        known = left = deleted = lost = 0
        try:
            for difference in storage_check.compare_all():
                known += difference.known_count
                for file in difference.without_row:
                    is_deleted = delete and storage_check.delete_without_row(file)
                    deleted += is_deleted
                    left += not is_deleted
                    done = "deleted" if is_deleted else "without a row"
                    size = f"{file.size_bytes} {plural('byte', file.size_bytes)}"
                    self.stdout.write(f"{done}: {file.key} ({size}, {file.modified_at:%F %T} UTC)")
                for row in difference.without_file:
                    lost += 1
                    self.stdout.write(f"without a file: {row.key} of task {row.task_id}")
        except StorageUnavailable as error:
            raise CommandError(f"The storage cannot be read: {error}", returncode=2) from error
        self.stdout.write(
            f"{known} {plural('file', known)} with a row, {left} without one, {deleted} deleted;"
            f" {lost} {plural('row', lost)} without a file."
        )
        if left or lost:
            sys.exit(1)
