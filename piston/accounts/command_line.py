"""What do all commands about accounts share? One sentence when something is wrong."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from piston.accounts.errors import AccountError, UnknownAccount
from piston.accounts.models import Account
from piston.command_line import DatabaseCommand


class AccountCommand(DatabaseCommand):
    """A command whose `run` may raise what the models raise."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Run; turn what can go wrong into a CommandError."""
        try:
            super().handle(*args, **options)
        except AccountError as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    def print_json(self, **document: Any) -> None:
        """Print one line of JSON, for people and scripts alike."""
        self.stdout.write(json.dumps(document, ensure_ascii=False))


def load_account(account_id: str) -> Account:
    """Return the account, or raise UnknownAccount."""
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        raise UnknownAccount(account_id)
    return account
