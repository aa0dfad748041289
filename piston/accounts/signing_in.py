"""Exchanges an API key for a token, and finds the account of a token.

The database's clock decides what has expired, because the machines' clocks differ.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists
from django.db.models.functions import Now

from piston.accounts.errors import InvalidCredentials, TooManyTokens
from piston.accounts.models import Account, ApiKey, Token
from piston.accounts.secrets import hash_secret, is_secret_of
from piston.database import locks
from piston.database.compiled_queries import CompiledSelect, Slot


def sign_in(api_key: str) -> tuple[Token, str]:
    """Exchange an API key for a new token; return the token and its secret.

    Raises TooManyTokens, and InvalidCredentials, which does not tell what is wrong with the key.
    """
    keys = ApiKey.objects.select_related("account").annotate(clock=Now())
    key = keys.filter(secret_hash=hash_secret(api_key)).first()
    if key is None or not is_secret_of(key.secret_hash, api_key):
        raise InvalidCredentials
    now = key.clock
    if not (key.is_usable(now) and key.account.is_enabled):
        raise InvalidCredentials
    with locks.request_transaction("sign in", key.account_id):
        # An account's sign-ins run one by one, even with several keys, so that each of them
        # counts the tokens of those before it.
        Account.objects.select_for_update(no_key=True).get(pk=key.account_id)
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
        refuse_too_many_tokens(key.account_id, now)
        return Token.objects.issue(key, now)


def refuse_too_many_tokens(account_id: str, now: datetime) -> None:
    """Raise TooManyTokens if the account has its maximum of tokens; revoked ones do not count."""
    most = settings.PISTON_MAX_TOKENS_PER_ACCOUNT
    living = Token.objects.usable(now).filter(account=account_id)
    if most and living.order_by()[:most].count() >= most:
        first = living.order_by("expires_at").values_list("expires_at", flat=True)[0]
        raise TooManyTokens(most, math.ceil((first - now).total_seconds()))


def find_token(secret: str) -> Token:
    """Return the usable token with this secret, with its account and key, in one query.

    Raises InvalidCredentials if the token is unknown, expired or revoked, if its API key is
    revoked, or if its account is disabled.
    """
    for found in TOKENS.fetch(secret_hash=hash_secret(secret)):  # at most one
        token: Token = found
        if is_secret_of(token.secret_hash, secret) and token.is_usable(found.clock):
            return token
    raise InvalidCredentials


TOKENS: CompiledSelect[Any] = CompiledSelect(  # every request asks for one
    lambda: (
        Token.objects.select_related("account", "api_key")
        .annotate(clock=Now())
        .filter(secret_hash=Slot.text("secret_hash"))
    )
)


def confirm_token(token: Token) -> Account:
    """Return the account of a token at the end of a long request, in one query.

    The token was valid at the beginning, and may have expired since. Raises InvalidCredentials if
    it or its API key is revoked, or if its account is disabled.
    """
    for key in KEYS_IN_FORCE.fetch(key_id=token.api_key_id, token_id=token.pk):
        return key.account
    raise InvalidCredentials


KEYS_IN_FORCE: CompiledSelect[ApiKey] = CompiledSelect(  # every new task asks for one
    lambda: (
        ApiKey.objects.select_related("account")
        .filter(pk=Slot.number("key_id"), revoked_at=None, account__is_enabled=True)
        .exclude(Exists(Token.objects.filter(pk=Slot.number("token_id"), revoked_at__isnull=False)))
    )
)


def purge_expired_tokens() -> int:
    """Delete the expired tokens that are not locked; return their number."""
    expired = Token.objects.select_for_update(skip_locked=True).filter(expires_at__lte=Now())
    with transaction.atomic():
        deleted_count, _ = Token.objects.filter(pk__in=expired.values("pk")).delete()
    return deleted_count
