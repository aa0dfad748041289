"""Makes another API key for an account."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from piston.accounts.command_line import AccountCommand, load_account
from piston.accounts.models import ApiKey

MAX_DAYS = 36_500


class Command(AccountCommand):
    """Make an API key for an account; it is shown only once."""

    help = "Make an API key for an account. Prints one line of JSON; the key is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("account_id")
        parser.add_argument("--expires-days", type=int, metavar="N", help="default: never")

    def run(self, **options: Any) -> None:
        """Make the key."""
        account = load_account(options["account_id"])
        days = options["expires_days"]
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--expires-days has to be from 1 to {MAX_DAYS}, not {days}.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        key, secret = ApiKey.objects.issue(account, expires_at=expires_at)
        self.print_json(
            account_id=account.pk,
            api_key_id=key.pk,
            api_key=secret,
            expires_at=expires_at.isoformat(timespec="seconds") if expires_at else None,
        )
