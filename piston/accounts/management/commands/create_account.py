"""Makes an account and its first API key, and prints them as one line of JSON."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from piston.accounts.command_line import AccountCommand, load_account
from piston.accounts.models import Account, ApiKey


class Command(AccountCommand):
    """Make an account and an API key for it; the key is shown only once."""

    help = "Make an account and an API key for it. Prints one line of JSON; the key is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("name")
        parser.add_argument("--parent", metavar="ID", help="the account above it")
        parser.add_argument("--superadmin", action="store_true", help="may act on everything")
        parser.add_argument("--reseller", action="store_true", help="sells to accounts below it")
        parser.add_argument(
            "--no-number-additions", action="store_true", help="may not create numbers"
        )

    def run(self, **options: Any) -> None:
        """Make both in one transaction."""
        parent = load_account(options["parent"]) if options["parent"] else None
        account = Account(
            name=options["name"].strip(),
            parent=parent,
            is_superadmin=options["superadmin"],
            is_reseller=options["reseller"],
            allows_number_additions=not options["no_number_additions"],
        )
        account.clean_fields(exclude=["id"])
        with transaction.atomic():
            account.save()
            _, secret = ApiKey.objects.issue(account)
        self.print_json(
            account_id=account.pk, name=account.name, parent_id=account.parent_id, api_key=secret
        )
