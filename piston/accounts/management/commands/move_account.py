"""Moves an account within the tree."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from piston.accounts.command_line import AccountCommand, load_account


class Command(AccountCommand):
    """Move an account, and everything below it, under another one."""

    help = "Move an account and everything below it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("account_id")
        place = parser.add_mutually_exclusive_group(required=True)
        place.add_argument("--parent", metavar="ID", help="the account to be above it")
        place.add_argument("--root", action="store_true", help="have nothing above it")

    def run(self, **options: Any) -> None:
        """Move it."""
        account = load_account(options["account_id"])
        account.move_to(load_account(options["parent"]) if options["parent"] else None)
        self.print_json(account_id=account.pk, parent_id=account.parent_id, path=account.path())
