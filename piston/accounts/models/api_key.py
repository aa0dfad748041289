"""The API key: a long-lived secret that is exchanged for tokens; only its hash is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from piston.accounts.models.account import Account
from piston.accounts.secrets import PREFIX_LENGTH, SECRET_LENGTH, hash_secret, make_secret


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """API keys, by whether they are usable."""

    def usable(self, now: datetime) -> Self:
        """Keep the keys that can be exchanged for a token at `now`."""
        return self.filter(revoked_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=now))

    def issue(self, account: Account, *, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
        """Make a key; return it with its secret, which cannot be shown again."""
        key = ApiKey(account=account, expires_at=expires_at)
        secret = key.choose_secret()
        key.save(using=self.db)
        return key, secret

    def revoke(self) -> int:
        """Revoke these keys, and so their tokens; return how many were not revoked before."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())


class ApiKey(models.Model):
    """A secret of 64 hex characters that belongs to one account."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="api_keys")
    secret_hash = models.CharField(max_length=SECRET_LENGTH, unique=True, editable=False)
    prefix = models.CharField(
        max_length=PREFIX_LENGTH,
        db_index=True,
        editable=False,
        help_text="The first characters of the key, to recognise it.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.prefix}…"

    def choose_secret(self) -> str:
        """Give a new key its secret and return it; later only its hash is known."""
        secret = make_secret()
        self.secret_hash = hash_secret(secret)
        self.prefix = secret[:PREFIX_LENGTH]
        return secret

    def is_usable(self, now: datetime) -> bool:
        """Tell whether the key can be exchanged for a token at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
