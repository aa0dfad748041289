"""Runs an action over rows in memory, without a broker, a server or a task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from categories.contract import Action, Settings
from categories.testing.crash_kit.declared_errors import check_failures
from categories.testing.crash_kit.input_rows import Rows
from categories.testing.crash_kit.trials import Ran, Trial, make_context
from piston.accounts.models import Account

NOTHING_SET: Mapping[str, Any] = MappingProxyType({})


def run_action(
    action: type[Action],
    rows: Rows = (),
    *,
    account: Account | None = None,
    auth_account: Account | None = None,
    now: datetime | None = None,
    batch_size: int | None = None,
    settings: Mapping[str, Any] = NOTHING_SET,
) -> Ran:
    """Run an action over rows; its writes stay in the test's database.

    Without `account`, the action must not read the account; `auth_account` defaults to `account`.
    `settings` has values for the settings of the category; without one, a default counts.
    Exceptions outside the contract are raised, unlike in a task, so that tests show them.
    """
    context = make_context(account, auth_account, now, Settings.of_action(action, settings))
    ran = Trial(action, rows, context, batch_size).run()
    check_failures(action, ran)
    return ran
