"""How much each account stores: one row per account, so reading it costs the same for all."""

from __future__ import annotations

from django.db import models

from piston.accounts.models import Account


class AccountUsage(models.Model):
    """An account's usage, updated by the transactions that create and remove tasks and files.

    See `quotas`.
    """

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="usage")
    task_count = models.BigIntegerField(default=0, help_text="Tasks that are not removed.")
    stored_bytes = models.BigIntegerField(default=0, help_text="Of the files of these tasks.")

    def __str__(self) -> str:
        return f"usage of {self.account_id}"
