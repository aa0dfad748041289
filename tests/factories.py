"""How does a test get valid rows?"""

from typing import Any

import factory
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
    ApiKey.objects.filter(pk=key.pk).update(**changes) if changes else None
    key.refresh_from_db()
    return key, secret


def make_token(account: Account, **changes: Any) -> str:
    """Return the secret of a token that speaks for `account`: what X-Auth-Token carries."""
    key, _ = make_api_key(account)
    token, secret = Token.objects.issue(key, timezone.now())
    if changes:
        Token.objects.filter(pk=token.pk).update(**changes)
    return secret
