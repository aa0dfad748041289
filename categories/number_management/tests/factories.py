"""Factories for numbers and accounts."""

from datetime import UTC, datetime
from typing import Any

import factory
from factory.django import DjangoModelFactory

from categories.number_management.models import PhoneNumber
from categories.number_management.states import ASSIGNED, NumberState
from piston.accounts.models import Account
from tests.factories import AccountFactory

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
NUMBER = "+14157215234"


class PhoneNumberFactory(DjangoModelFactory[PhoneNumber]):
    """A number in service with an account, or in any other `state=`, with one if that needs it."""

    class Meta:
        model = PhoneNumber

    number = factory.Sequence(lambda n: f"+1415{n:07}")
    state = NumberState.IN_SERVICE
    created_at = NOW
    modified_at = NOW

    @factory.lazy_attribute
    def account(self) -> Account | None:
        """An account, if the state needs one."""
        return AccountFactory.create() if self.state in ASSIGNED else None


def make_superadmin() -> Account:
    """Return the super-duper admin."""
    admin: Account = AccountFactory.create(is_superadmin=True)
    return admin


def as_now(number: str) -> dict[str, Any]:
    """Return the stored fields of a number."""
    fields: dict[str, Any] = PhoneNumber.objects.values().get(number=number)
    return fields
