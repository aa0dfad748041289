"""The demo account of `make run`, which gets a new API key at each start."""

from __future__ import annotations

import json
from pathlib import Path

from django.db import transaction

from piston.accounts.models import Account, ApiKey

NAME = "Demo"


def renew_key(note: Path) -> tuple[Account, str]:
    """Return the demo account and a new key for it; delete the previous key.

    Keys are stored hashed, so an old one could not be shown again. `note` stores the ids of the
    account and the key, so that another account called Demo is never touched.
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
