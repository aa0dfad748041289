"""Keeps the closure table correct while accounts are made and moved.

Every change takes a lock until its transaction ends: shared to make accounts, exclusive to move
one. So no account is linked to ancestors that are moving at the same time. On SQLite, the write
lock that every transaction takes at its start has the same effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import connections, transaction
from django.db.models import Max

from piston.accounts.errors import CannotMove, TreeTooDeep
from piston.accounts.models.account_link import MAX_DEPTH, AccountLink

if TYPE_CHECKING:
    from piston.accounts.models import Account

TREE_LOCK = 0x7069_7374  # a number that no other code locks in this database

LINK_ONE = """
    INSERT INTO accounts_accountlink (ancestor_id, descendant_id, depth)
    SELECT ancestor_id, %s, depth + 1 FROM accounts_accountlink WHERE descendant_id = %s
    UNION ALL SELECT %s, %s, 0
"""
LINK_UNLINKED = """
    INSERT INTO accounts_accountlink (ancestor_id, descendant_id, depth)
    WITH RECURSIVE climb (ancestor_id, descendant_id, depth) AS (
        SELECT id, id, 0 FROM accounts_account AS unlinked
        WHERE NOT EXISTS (
            SELECT 1 FROM accounts_accountlink WHERE descendant_id = unlinked.id
        )
        UNION ALL
        SELECT child.parent_id, climb.descendant_id, climb.depth + 1
        FROM climb JOIN accounts_account AS child ON child.id = climb.ancestor_id
        WHERE child.parent_id IS NOT NULL AND climb.depth <= %s
    )
    SELECT ancestor_id, descendant_id, depth FROM climb
"""
UNLINK_FROM_ABOVE = """
    DELETE FROM accounts_accountlink
    WHERE descendant_id IN (SELECT descendant_id FROM accounts_accountlink WHERE ancestor_id = %s)
    AND ancestor_id IN (
        SELECT ancestor_id FROM accounts_accountlink WHERE descendant_id = %s AND depth > 0
    )
"""
LINK_BELOW = """
    INSERT INTO accounts_accountlink (ancestor_id, descendant_id, depth)
    SELECT above.ancestor_id, below.descendant_id, above.depth + below.depth + 1
    FROM accounts_accountlink AS above CROSS JOIN accounts_accountlink AS below
    WHERE above.descendant_id = %s AND below.ancestor_id = %s
"""


def execute(statement: str, parameters: Sequence[str | int | None], *, using: str | None) -> None:
    """Run one statement in the current transaction."""
    with connections[using or "default"].cursor() as cursor:
        cursor.execute(statement, parameters)


def lock_for_growth(*, using: str | None) -> None:
    """Wait until no account is being moved; block moves until the transaction ends."""
    if connections[using or "default"].vendor == "postgresql":
        execute("SELECT pg_advisory_xact_lock_shared(%s)", [TREE_LOCK], using=using)


def lock_for_move(*, using: str | None) -> None:
    """Wait until no account is being made or moved; block both until the transaction ends."""
    if connections[using or "default"].vendor == "postgresql":
        execute("SELECT pg_advisory_xact_lock(%s)", [TREE_LOCK], using=using)


def link(account: Account) -> None:
    """Link a new account to itself, its parent and all accounts above, in one statement."""
    using = account._state.db
    parent_id = account.parent_id
    if parent_id is not None:
        _refuse_depth(_depth_of(parent_id, using=using) + 1)
    execute(LINK_ONE, [account.pk, parent_id, account.pk, account.pk], using=using)


def link_unlinked(*, using: str | None) -> None:
    """Link every account without links in one statement, after accounts were made in bulk."""
    execute(LINK_UNLINKED, [MAX_DEPTH], using=using)


def move(account: Account, parent: Account | None) -> None:
    """Move `account` and everything below it under `parent`, in one transaction.

    The rules are checked under the lock. So if two moves would form a cycle together, the second
    one is refused. Raises CannotMove or TreeTooDeep.
    """
    using = account._state.db
    with transaction.atomic(using=using):
        lock_for_move(using=using)
        if parent is not None:
            if parent.is_within(account):
                raise CannotMove(f"{account.pk} cannot move below itself, to {parent.pk}.")
            _refuse_depth(_depth_of(parent.pk, using=using) + 1 + _height_of(account))
        execute(UNLINK_FROM_ABOVE, [account.pk, account.pk], using=using)
        if parent is not None:
            execute(LINK_BELOW, [parent.pk, account.pk], using=using)
        account.parent = parent
        account.save(update_fields=["parent"])


def _depth_of(account_id: str, *, using: str | None) -> int:
    links = AccountLink.objects.using(using).filter(descendant=account_id)
    return int(links.aggregate(deepest=Max("depth", default=0))["deepest"])


def _height_of(account: Account) -> int:
    return int(account.links_down.aggregate(deepest=Max("depth", default=0))["deepest"])


def _refuse_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TreeTooDeep(f"The tree of accounts would be {depth} levels deep, {MAX_DEPTH} may be.")
