"""Which account does a new user try things with? One that `make run` keeps, with a fresh key."""

from __future__ import annotations

import json
from pathlib import Path

from django.db import transaction

from piston.accounts.models import Account, ApiKey

NAME = "Demo"


def renew_key(note: Path) -> tuple[Account, str]:
    """Return the demo account and a new key for it; the key of the last time is deleted.

    Keys are stored hashed, so an old one could not be shown again. `note` remembers the account
    and the key by their ids: another account that happens to be called Demo is never touched.
    """
    try:
        noted = json.loads(note.read_text())
    except (OSError, ValueError):
        noted = {}
    with transaction.atomic():
        account = Account.objects.filter(pk=noted.get("account"), is_enabled=True).first()
        if account is None:
            account = Account.objects.create(name=NAME)
        ApiKey.objects.filter(account=account, pk=noted.get("api_key")).delete()
        api_key, secret = ApiKey.objects.issue(account)
    note.write_text(json.dumps({"account": account.pk, "api_key": api_key.pk}))
    return account, secret
