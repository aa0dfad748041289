"""The rights to read and change ratedecks.

A deck belongs to one reseller account, or to the system. A task works on the decks of one owner
and sees no others, so two tenants may use the same names for their decks:

* A super-duper admin's own tasks work on the system's decks. So do its tasks for an account that
  is not a reseller, because an account in the URI has no impact on system resources
  (docs/spec/tasks-api.txt, "Add a new task").
* A super-duper admin's tasks for a reseller work on the reseller's decks.
* All other tasks work on the decks of the task's account, which must be a reseller in the
  creator's own tree.
"""

from __future__ import annotations

from categories.contract import Context, Refused
from piston.accounts.models import Account


def require_permission(context: Context) -> None:
    """Raise Refused unless the creator of the task may read and change rates."""
    creator, account = context.auth_account, context.account
    if not creator.is_superadmin and not (account.is_reseller and account.is_within(creator)):
        raise Refused("task execution is forbidden")


def find_owner(context: Context) -> Account | None:
    """Return the owner of the decks that the task works on; None means the system.

    Only a super-duper admin's tasks can reach the system's decks, whatever the account is.
    """
    account = context.account
    for_the_system = account.is_superadmin or not account.is_reseller
    return None if for_the_system and context.auth_account.is_superadmin else account


def find_unknown_accounts(
    account_ids: set[str | None], owner: Account | None, using: str
) -> set[str]:
    """Return the ids that are not accounts in the owner's tree; the system owns all trees."""
    named = {account_id for account_id in account_ids if account_id is not None}
    if not named:
        return named
    accounts = Account.objects.using(using).filter(pk__in=named)
    if owner is not None:
        accounts = accounts.within(owner)
    return named - set(accounts.values_list("pk", flat=True))
