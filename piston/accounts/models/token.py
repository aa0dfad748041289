"""The token: a short-lived secret in each request; only its hash is stored."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from piston.accounts.models.account import Account
from piston.accounts.models.api_key import ApiKey
from piston.accounts.secrets import SECRET_LENGTH, hash_secret, make_secret


class TokenQuerySet(models.QuerySet["Token"]):
    """Tokens, by whether they are usable."""

    def usable(self, now: datetime) -> Self:
        """Keep the tokens that are usable at `now`."""
        return self.filter(
            revoked_at=None, expires_at__gt=now, api_key__revoked_at=None, account__is_enabled=True
        )

    def issue(self, key: ApiKey, now: datetime) -> tuple[Token, str]:
        """Make a token for `key` that expires no later than the key; return it with its secret."""
        secret = make_secret()
        expires_at = now + timedelta(seconds=settings.PISTON_TOKEN_SECONDS)
        token = self.create(
            api_key=key,
            account=key.account,
            secret_hash=hash_secret(secret),
            created_at=now,
            expires_at=min(expires_at, key.expires_at or expires_at),
        )
        return token, secret

    def revoke(self) -> int:
        """Revoke these tokens; return how many were not revoked before."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())


class Token(models.Model):
    """A secret of 64 hex characters that belongs to the account of its API key."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="tokens")
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="tokens")
    secret_hash = models.CharField(max_length=SECRET_LENGTH, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = TokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="token_expires_after_creation"
            ),
        ]

    def __str__(self) -> str:
        return f"token {self.pk}"

    def is_usable(self, now: datetime) -> bool:
        """Tell whether the token, its key and its account are all usable at `now`."""
        return (
            self.revoked_at is None
            and now < self.expires_at
            and self.api_key.revoked_at is None
            and self.account.is_enabled
        )
