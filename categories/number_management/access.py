"""The rights to see and change numbers, which are those of the account that created the task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from categories.contract import Context, Refused
from categories.database.bulk import listed
from categories.number_management.errors import UNAUTHORIZED
from categories.number_management.records import NumberRecord
from categories.number_management.states import NumberState
from piston.accounts.models import Account, AccountLink


@dataclass(frozen=True)
class Rights:
    """The acting account's rights over some accounts, and which of these exist."""

    is_superadmin: bool
    may_create: bool  # numbers in service or reserved, for its own accounts
    parent_id: str | None
    names: Mapping[str, str]  # of the accounts that exist, by id
    own: frozenset[str]  # the acting account itself and those below it

    def may_act_on(self, account_id: str | None) -> bool:
        """Say whether numbers of the account may be changed; None means numbers without one."""
        return self.is_superadmin or account_id in self.own

    def may_see(self, record: NumberRecord, target_id: str | None = None) -> bool:
        """Say whether the number may be seen, or taken for the target if it has no account."""
        return (
            record.state == NumberState.AVAILABLE
            or self.may_act_on(record.account_id or target_id)
            or self.is_kept_by_parent(record)
        )

    def is_kept_by_parent(self, record: NumberRecord) -> bool:
        """Say whether the account above has reserved the number, for its children."""
        return (
            record.state == NumberState.RESERVED
            and self.parent_id is not None
            and record.account_id == self.parent_id
        )


def read_rights(context: Context, account_ids: Iterable[str | None]) -> Rights:
    """Return the acting account's rights over these accounts, in one query."""
    acting = context.auth_account
    wanted = {id_ for id_ in account_ids if id_ is not None}
    is_below = AccountLink.objects.filter(ancestor=acting, descendant=OuterRef("pk"))
    rows = (
        Account.objects.using(context.database)
        .filter(pk__in=listed(wanted, using=context.database))
        .annotate(is_own=Exists(is_below))
        .values_list("pk", "name", "is_own")
    )
    known = list(rows)
    return Rights(
        is_superadmin=acting.is_superadmin,
        may_create=acting.is_superadmin or acting.allows_number_additions,
        parent_id=acting.parent_id,
        names={id_: name for id_, name, _ in known},
        own=frozenset(id_ for id_, _, is_own in known if is_own),
    )


def require_superadmin(context: Context) -> None:
    """Raise Refused unless the acting account is the super-duper admin."""
    if not context.auth_account.is_superadmin:
        raise Refused(UNAUTHORIZED)
