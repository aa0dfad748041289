"""Scheduling and rate limits: keep one account or one action from taking all workers."""

from __future__ import annotations

from django.db import models

from piston.accounts.models import Account


class AccountTurn(models.Model):
    """When an account last got a worker; the account that has waited longest is next."""

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="turn")
    served_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"turn of {self.account_id}"


class ActionPace(models.Model):
    """When the next row of a rate-limited action may begin, over all workers."""

    action = models.CharField(
        max_length=250,
        primary_key=True,
        help_text="category/action; or category/action/account, for a limit per account.",
    )
    free_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"pace of {self.action}"
