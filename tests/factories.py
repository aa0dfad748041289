"""How does a test get valid rows?"""

from typing import Any

import factory
from django.test import Client
from django.utils import timezone
from factory.django import DjangoModelFactory

from piston.accounts.models import Account, ApiKey, Token


class AccountFactory(DjangoModelFactory[Account]):
    """A root account; `parent=` puts it below another one."""

    class Meta:
        model = Account

    name = factory.Sequence(lambda n: f"Account {n}")


def make_api_key(account: Account, **changes: Any) -> tuple[ApiKey, str]:
    """Return an API key of `account`, and its secret."""
    key, secret = ApiKey.objects.issue(account)
    if changes:
        ApiKey.objects.filter(pk=key.pk).update(**changes)
        key.refresh_from_db()
    return key, secret


def make_token(account: Account, **changes: Any) -> str:
    """Return the secret of a token that speaks for `account`: what X-Auth-Token carries."""
    key, _ = make_api_key(account)
    token, secret = Token.objects.issue(key, timezone.now())
    if changes:
        Token.objects.filter(pk=token.pk).update(**changes)
    return secret


def make_client(account: Account | None = None, **settings: Any) -> Client:
    """Return an HTTP client that carries a token of `account`, or none."""
    headers = {"X-Auth-Token": make_token(account)} if account else None
    return Client(headers=headers, **settings)
