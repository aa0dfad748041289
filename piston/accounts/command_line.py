"""What do all commands about accounts share? One sentence when something is wrong."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from piston import disk_reserve
from piston.accounts.errors import AccountError, UnknownAccount
from piston.accounts.models import Account


class AccountCommand(BaseCommand):
    """A command whose `run` may raise what the models raise."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Run; turn what can go wrong into a CommandError."""
        try:
            self.run(**options)
        except AccountError as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (OperationalError, ProgrammingError) as error:
            if disk_reserve.is_full(error):
                raise  # manage.py says what to do
            raise CommandError(
                f"The database does not answer as it should ({str(error).strip()}). "
                "Is it running, and has `manage.py migrate` been run?"
            ) from error

    def run(self, **options: Any) -> None:
        """Do what the command is for."""
        raise NotImplementedError

    def print_json(self, **document: Any) -> None:
        """Print one line of JSON, for people and scripts alike."""
        self.stdout.write(json.dumps(document, ensure_ascii=False))


def load_account(account_id: str) -> Account:
    """Return the account, or raise UnknownAccount."""
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        raise UnknownAccount(account_id)
    return account
