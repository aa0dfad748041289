"""Detects that a plugin caught a database error and went on, so its transaction is lost.

Django rolls such a transaction back at its end, and so does PostgreSQL, both silently.
"""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, Error, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from piston.relied_on import SET_IN_INIT, rely_on

rely_on(
    __name__,
    BaseDatabaseWrapper,
    closed_in_transaction=SET_IN_INIT,
    in_atomic_block=SET_IN_INIT,
    needs_rollback=SET_IN_INIT,
)


class SwallowedError(Exception):
    """An error of the database was caught, or its connection closed, inside a transaction.

    Nothing more can be done in that. Put `transaction.atomic()` around what may fail, inside of
    the `try`.
    """

    def __init__(self) -> None:
        super().__init__(" ".join(str(self.__doc__).split()))


def find_swallowed(using: str = DEFAULT_DB_ALIAS) -> SwallowedError | Error | None:
    """Return what is wrong with a connection; None if nothing is.

    OperationalError if the connection was lost: the database is away. Outside of our transactions,
    SwallowedError if the plugin began a transaction and left it open.
    """
    connection = connections[using]
    state = ""  # on SQLite only Django knows
    if connection.vendor == "postgresql" and connection.connection is not None:
        state = connection.connection.info.transaction_status.name
    if state == "UNKNOWN" and not connection.closed_in_transaction:
        return OperationalError("the connection was lost")
    if connection.in_atomic_block:
        is_broken = connection.needs_rollback or state == "INERROR"
    else:
        is_broken = state in {"INTRANS", "INERROR"}
    return SwallowedError() if is_broken else None


def refuse_swallowed(using: str = DEFAULT_DB_ALIAS) -> None:
    """Raise what is wrong with a connection; outside of our transactions, close it first."""
    if found := find_swallowed(using):
        if not connections[using].in_atomic_block:
            connections[using].close()
        raise found
