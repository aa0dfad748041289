"""What all commands about accounts share: they find an account, and answer in JSON."""

from __future__ import annotations

import json
from typing import Any

from piston.accounts.errors import AccountError, UnknownAccount
from piston.accounts.models import Account
from piston.command_line import DatabaseCommand


class AccountCommand(DatabaseCommand):
    """A command that answers with a line of JSON."""

    expected = (AccountError,)

    def print_json(self, **document: Any) -> None:
        """Print one line of JSON, for people and scripts alike."""
        self.stdout.write(json.dumps(document, ensure_ascii=False))


def load_account(account_id: str) -> Account:
    """Return the account, or raise UnknownAccount."""
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        raise UnknownAccount(account_id)
    return account
