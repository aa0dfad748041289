"""How is an action tested? Over rows in memory, with a clock of one's own; and with crashes.

No broker, no server and no task.
"""

from __future__ import annotations

from datetime import datetime

from categories.contract import Action
from categories.testing.crash_kit.trials import Ran, Rows, Trial, make_context
from piston.accounts.models import Account


def run_action(
    action: type[Action],
    rows: Rows = (),
    *,
    account: Account | None = None,
    auth_account: Account | None = None,
    now: datetime | None = None,
    batch_size: int | None = None,
) -> Ran:
    """Run an action over rows; what it writes stays in the database of the test.

    Without an account the action must not ask for one; `auth_account` is the same by default.
    An exception that is none of the contract's is raised, unlike in a task, so that it is seen.
    """
    context = make_context(account, auth_account, now)
    return Trial(action, rows, context, batch_size).run()
