"""Lists accounts, one line of JSON each."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from piston.accounts.command_line import AccountCommand, load_account
from piston.accounts.models import Account


class Command(AccountCommand):
    """List all accounts, or those below one."""

    help = "List accounts, one line of JSON each, by name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--below", metavar="ID", help="only what is below this account")

    def run(self, **options: Any) -> None:
        """Print them without holding them all in memory."""
        below = options["below"]
        accounts = load_account(below).descendants() if below else Account.objects.all()
        for account in accounts.order_by("name", "pk").iterator():
            self.print_json(
                account_id=account.pk,
                name=account.name,
                parent_id=account.parent_id,
                is_superadmin=account.is_superadmin,
                is_reseller=account.is_reseller,
                allows_number_additions=account.allows_number_additions,
                is_enabled=account.is_enabled,
            )
