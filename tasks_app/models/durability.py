"""Lets writes that may be lost without harm commit without waiting for the disk."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, Expression


class AsynchronousCommit(Expression):
    """True in an UPDATE's WHERE; on PostgreSQL, its commit then does not wait for the disk.

    The change is visible to all connections at once and survives a crash of any worker. It is lost
    only if the database crashes within the next moments: a later durable commit keeps it, too. Do
    not use this inside a larger transaction, whose commit would not wait either.
    """

    output_field = BooleanField()

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return a condition that is true."""
        return "1 = 1", ()

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        """Return a true condition that also sets synchronous_commit: it saves a statement."""
        return "set_config('synchronous_commit', 'off', true) = 'off'", ()
