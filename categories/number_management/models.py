"""The stored telephone numbers, and the history of their changes."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from categories.number_management.carriers import LOCAL_CARRIER
from categories.number_management.states import ASSIGNED, UNASSIGNED, NumberState
from piston.accounts.models import Account

NUMBER_LENGTH = 16  # + and 15 digits (E.164)


class PhoneNumberQuerySet(models.QuerySet["PhoneNumber"]):
    """Numbers, filtered by account."""

    def of(self, account_id: str) -> PhoneNumberQuerySet:
        """Keep the numbers of one account."""
        return self.filter(account_id=account_id)

    def within(self, account_id: str) -> PhoneNumberQuerySet:
        """Keep the numbers of an account and of all accounts below it."""
        return self.filter(account__links_up__ancestor_id=account_id)


class PhoneNumber(models.Model):
    """A telephone number; its state decides what may be done with it."""

    number = models.CharField(max_length=NUMBER_LENGTH, help_text="E.164")
    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        null=True,
        related_name="phone_numbers",
        db_index=False,  # the index over account and number serves
    )
    # an id instead of a foreign key, because the account may be deleted
    previously_assigned_to = models.CharField(max_length=32, null=True)
    state = models.CharField(max_length=20, choices=NumberState)
    created_at = models.DateTimeField(default=timezone.now)
    modified_at = models.DateTimeField(default=timezone.now)
    used_by = models.CharField(max_length=100, null=True, help_text="The app that answers it.")
    ported_in = models.BooleanField(default=False)
    carrier_module = models.CharField(max_length=50, default=LOCAL_CARRIER)
    # read_value and put_value know the paths; carrier_name and columns opaque.a.b lie here as well
    features = models.JSONField(default=dict, help_text="The public fields: cnam, e911, …")
    # a text instead of a table, because each batch reads and writes it with the other fields
    reservations = models.TextField(
        null=True,
        help_text="Ids of the accounts that reserved it, the newest first, with spaces between.",
    )

    objects = PhoneNumberQuerySet.as_manager()

    class Meta:
        constraints = [
            # instead of unique=True, which creates two indexes on PostgreSQL
            models.UniqueConstraint(fields=["number"], name="number_once"),
            models.CheckConstraint(
                condition=Q(state__in=sorted(ASSIGNED), account__isnull=False)
                | Q(state__in=sorted(UNASSIGNED), account__isnull=True),
                name="number_has_account_as_its_state_says",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "number"], name="number_by_account"),
            models.Index(fields=["state", "modified_at"], name="number_by_state"),
        ]

    def __str__(self) -> str:
        return self.number


class NumberChange(models.Model):
    """A change of a number; rows are only added, never changed."""

    # the digits instead of a foreign key, because the history outlives the number
    number = models.CharField(max_length=NUMBER_LENGTH)
    action = models.CharField(max_length=50)
    from_state = models.CharField(max_length=20, choices=NumberState, null=True)
    to_state = models.CharField(max_length=20, choices=NumberState, null=True)
    from_account = models.CharField(max_length=32, null=True)
    to_account = models.CharField(max_length=32, null=True)
    by_account = models.CharField(max_length=32, null=True, help_text="Empty: the system.")
    task_id = models.CharField(max_length=32, null=True, help_text="Empty: no task did it.")
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["number"], name="change_by_number")]

    def __str__(self) -> str:
        return f"{self.number}: {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert a row; raise TypeError for a change of an existing one."""
        if not self._state.adding:
            raise TypeError("The register of numbers is append-only.")
        super().save(*args, **kwargs)
