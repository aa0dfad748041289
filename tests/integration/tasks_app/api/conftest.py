"""What do tests of the API find in place?"""

import pytest

from piston.accounts.models import Account
from tests.broker import FakeBroker
from tests.factories import AccountFactory
from tests.integration.tasks_app.api.calls import Caller


@pytest.fixture
def account(db: None) -> Account:
    """An account that is nobody special."""
    return AccountFactory.create()


@pytest.fixture
def caller(account: Account, broker: FakeBroker) -> Caller:
    """The account, using the API; no message leaves the process."""
    return Caller(account)
