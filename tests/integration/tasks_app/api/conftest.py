"""The fixtures of the tests of the API."""

import pytest

from piston.accounts.models import Account
from tests.broker import FakeBroker
from tests.factories import AccountFactory
from tests.integration.tasks_app.api.calls import Caller


@pytest.fixture
def account(db: None) -> Account:
    """An account without special rights."""
    return AccountFactory.create()


@pytest.fixture
def caller(account: Account, broker: FakeBroker) -> Caller:
    """The account as a client of the API; no message leaves the process."""
    return Caller(account)
