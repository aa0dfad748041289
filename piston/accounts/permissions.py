"""Decides whether an account may act on another.

An account may act on itself and on accounts below it. A super-duper admin may act on all.
"""

from __future__ import annotations

import re

from django.db.models import Exists, OuterRef

from piston.accounts.errors import InvalidCredentials, NotPermitted, UnknownAccount
from piston.accounts.models import Account, AccountLink


def may_act_on(actor: Account, target: Account) -> bool:
    """Tell whether `actor` may act on `target`, with at most one query."""
    return actor.is_superadmin or target.is_within(actor)


def find_account(actor: Account | None, account_id: str | None) -> Account:
    """Return the account that a URI names, or the one of the token if it names none.

    At most one query, none for the actor's own account. The checks, in this order: no token
    (InvalidCredentials), no such account (UnknownAccount), not allowed (NotPermitted).
    """
    if actor is None:
        raise InvalidCredentials
    if account_id is None:
        account, is_permitted = actor, actor.is_superadmin
    elif account_id == actor.pk:
        account, is_permitted = actor, True
    else:
        account, is_permitted = _find_other_account(actor, account_id)
    if not is_permitted:
        raise NotPermitted
    return account


def _find_other_account(actor: Account, account_id: str) -> tuple[Account, bool]:
    # only a valid id reaches the database: PostgreSQL refuses NUL characters
    if not re.fullmatch("[0-9a-f]{32}", account_id):
        raise UnknownAccount(account_id)
    link = AccountLink.objects.filter(ancestor=actor, descendant=OuterRef("pk"))
    account = Account.objects.filter(pk=account_id).annotate(is_below_actor=Exists(link)).first()
    if account is None:
        raise UnknownAccount(account_id)
    return account, actor.is_superadmin or account.is_below_actor
