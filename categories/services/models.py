"""The stored quantities of accounts, month by month."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from piston.accounts.models import Account

MOMENT_HELP = "The moment that the document describes; empty: it was imported."


class ServiceQuantity(models.Model):
    """What one account had at the two ends of a month, as `{category: {item: quantity}}`.

    A document that is None was never taken; `{}` means that the account had nothing. A category
    that is None in it is not known: there is no history to make it up from.
    """

    # CASCADE: otherwise no account could be deleted, since the daily job gives each one quantities
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="service_quantities", db_index=False
    )
    year = models.PositiveSmallIntegerField()
    month = models.PositiveSmallIntegerField()
    bom = models.JSONField("beginning of month", null=True, blank=True)
    eom = models.JSONField("end of month", null=True, blank=True)
    bom_at = models.DateTimeField(null=True, blank=True, help_text=MOMENT_HELP)
    eom_at = models.DateTimeField(null=True, blank=True, help_text=MOMENT_HELP)

    class Meta:
        indexes = [  # for the admin's order and filters
            models.Index(fields=["-year", "-month", "account"], name="service_quantity_newest")
        ]
        verbose_name_plural = "service quantities"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "year", "month"], name="service_quantity_once_a_month"
            ),
            models.CheckConstraint(
                condition=Q(month__gte=1, month__lte=12), name="service_quantity_month_exists"
            ),
            models.CheckConstraint(
                condition=Q(year__gte=1000, year__lte=9999),
                name="service_quantity_year_has_4_digits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.year:04}-{self.month:02}"
