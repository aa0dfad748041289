"""Gives SQLite room from the reserve on a full disk, before it is opened or written to.

Opening needs room, too: the first connection creates the write-ahead log and its index.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

from piston import disk_reserve
from piston.relied_on import rely_on

rely_on(__name__, DatabaseErrorWrapper, __exit__="self, exc_type, exc_value, traceback")
rely_on(
    __name__,
    base.DatabaseWrapper,
    get_new_connection="self, conn_params",
    _start_transaction_under_autocommit="self",
    wrap_database_errors=cached_property,
)


class DiskAwareErrors(DatabaseErrorWrapper):
    """Django's translation of errors, which makes room for a retry after one of a full disk."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Note the error and raise Django's."""
        if error is not None:
            disk_reserve.note(error)
            super().__exit__(kind, error, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that makes room on a full disk for what people do."""

    def get_new_connection(self, conn_params: Any) -> Any:
        """Open the database."""
        disk_reserve.release()
        try:
            return super().get_new_connection(conn_params)
        except self.Database.OperationalError as error:
            if not disk_reserve.note(error):
                raise
            return super().get_new_connection(conn_params)

    def _start_transaction_under_autocommit(self) -> None:
        disk_reserve.release()
        super()._start_transaction_under_autocommit()  # type: ignore[misc]  # not in the stubs

    @cached_property
    def wrap_database_errors(self) -> DiskAwareErrors:
        """Return the translation of errors for each call of the database."""
        return DiskAwareErrors(self)
