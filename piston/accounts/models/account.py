"""The account: a tenant, and a node in the tree of accounts."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from typing import Any, Self

from django.core.validators import RegexValidator
from django.db import models, transaction
from django.utils import timezone

from piston.accounts.models import tree
from piston.accounts.models.account_link import AccountLink

ACCOUNT_ID_LENGTH = 32  # hex characters


def make_account_id() -> str:
    """Return 32 random hex characters."""
    return secrets.token_hex(ACCOUNT_ID_LENGTH // 2)


class AccountQuerySet(models.QuerySet["Account"]):
    """Accounts, by their position in the tree."""

    def within(self, account: Account) -> Self:
        """Keep `account` and everything below it."""
        return self.filter(links_up__ancestor=account)

    def below(self, account: Account) -> Self:
        """Keep everything below `account`, without itself."""
        return self.filter(links_up__ancestor=account, links_up__depth__gt=0)

    def above(self, account: Account) -> Self:
        """Keep the accounts above `account`, without itself, the root first."""
        return self.filter(links_down__descendant=account, links_down__depth__gt=0).order_by(
            "-links_down__depth"
        )

    def paths(self, accounts: Collection[Account]) -> dict[str, str]:
        """Return {id: "Root / Reseller / Shop"} for the given accounts, in one query."""
        names: dict[str, list[str]] = {account.pk: [] for account in accounts}
        links = AccountLink.objects.using(self.db).filter(descendant__in=names)
        for account_id, name in links.order_by("-depth").values_list(
            "descendant_id", "ancestor__name"
        ):
            names[account_id].append(name)
        return {account_id: " / ".join(path) for account_id, path in names.items()}

    def enabled(self) -> Self:
        """Keep the accounts that may sign in."""
        return self.filter(is_enabled=True)

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Create and link many accounts at once; some may be the parents of others."""
        with transaction.atomic(using=self.db):
            tree.lock_for_growth(using=self.db)
            accounts = super().bulk_create(objs, *args, **kwargs)
            tree.link_unlinked(using=self.db)
        return accounts

    def update(self, **kwargs: Any) -> int:
        """Update as usual, but refuse to move accounts without their links."""
        if {"parent", "parent_id"} & kwargs.keys():
            raise TypeError("Accounts move one at a time, with move_to().")
        return super().update(**kwargs)


class Account(models.Model):
    """A tenant. Other apps need only its id, its name and its position in the tree."""

    id = models.CharField(
        primary_key=True,
        max_length=ACCOUNT_ID_LENGTH,
        default=make_account_id,
        editable=False,
        validators=[RegexValidator(r"\A[0-9a-f]{32}\Z", "An id is 32 lower-case hex characters.")],
    )
    name = models.CharField(max_length=128)
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        help_text="The account above; empty for the top of a tree.",
    )
    is_superadmin = models.BooleanField(
        default=False, help_text="May act on every account and on the system (super-duper admin)."
    )
    is_reseller = models.BooleanField(default=False, help_text="Sells to the accounts below.")
    allows_number_additions = models.BooleanField(
        default=True,
        db_default=True,
        help_text="May create numbers, with add and import.",
    )
    is_enabled = models.BooleanField(
        default=True, help_text="When off, its API keys and tokens are refused at once."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AccountQuerySet.as_manager()

    # a request's user is an account; Django and DRF read these attributes
    is_authenticated = True
    is_anonymous = False

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(name=""), name="account_has_a_name"),
            models.CheckConstraint(
                condition=models.Q(parent__isnull=True) | ~models.Q(parent=models.F("id")),
                name="account_not_its_own_parent",
            ),
        ]
        indexes = [models.Index(fields=["name"], name="account_name")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; link a new account to all accounts above it, in the same transaction."""
        if not self._state.adding:
            self._refuse_unlinked_move()
            super().save(*args, **kwargs)
            return
        with transaction.atomic(using=kwargs.get("using")):
            tree.lock_for_growth(using=kwargs.get("using"))
            super().save(*args, **kwargs)
            tree.link(self)

    def _refuse_unlinked_move(self) -> None:
        above = self.links_up.filter(depth=1).values_list("ancestor_id", flat=True).first()
        if above != self.parent_id:
            raise ValueError("An account moves with move_to(), so that its links move with it.")

    def descendants(self) -> AccountQuerySet:
        """Return everything below this account, without itself."""
        return Account.objects.below(self)

    def ancestors(self) -> AccountQuerySet:
        """Return the accounts above this one, without itself, the root first."""
        return Account.objects.above(self)

    def is_within(self, other: Account) -> bool:
        """Tell whether this account is `other` or below it, with at most one query."""
        return self.pk == other.pk or self.links_up.filter(ancestor=other).exists()

    def find_root_id(self) -> str:
        """Return the id of this account's root, maybe its own, with at most one query."""
        if self.parent_id is None:
            return self.pk
        return self.links_up.order_by("-depth").values_list("ancestor_id", flat=True)[0]

    def path(self) -> str:
        """Return the names from the root to this account: "Root / Reseller / Shop"."""
        return Account.objects.paths([self])[self.pk]

    def move_to(self, parent: Account | None) -> None:
        """Move this account and everything below it under `parent`; None makes it a root.

        Raises CannotMove if `parent` is this account or below it, and TreeTooDeep if the tree
        would be deeper than MAX_DEPTH.
        """
        tree.move(self, parent)
