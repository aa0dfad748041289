"""The ratedeck, a price list of a reseller or of the system."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from categories.database.bulk import listed
from piston.accounts.models import Account

NAME_LENGTH = 128


class RatedeckQuerySet(models.QuerySet["Ratedeck"]):
    """Ratedecks, filtered by owner."""

    def owned_by(self, account: Account | None) -> Self:
        """Keep the decks of `account`; None keeps the system's decks."""
        return self.filter(account=account)

    def named(self, names: set[str]) -> dict[str, int]:
        """Return the primary keys of the decks with these names, by name."""
        wanted = self.filter(name__in=listed(names, using=self.db))
        return dict(wanted.values_list("name", "pk"))


class Ratedeck(models.Model):
    """A price list. It belongs to one reseller account, or to the system if `account` is None.

    Names are unique within an owner: two tenants may each have a deck of the same name.
    """

    name = models.CharField(
        max_length=NAME_LENGTH, help_text="The column ratedeck_id of its rates."
    )
    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="ratedecks",
        limit_choices_to={"is_reseller": True},
        db_index=False,
        help_text="The reseller that owns the deck; empty: the system.",
    )

    objects = RatedeckQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="ratedeck_once_per_owner"),
            # a database does not treat two NULL owners as equal
            models.UniqueConstraint(
                fields=["name"], condition=Q(account=None), name="ratedeck_once_in_the_system"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="ratedeck_has_a_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.account or 'system'})"
