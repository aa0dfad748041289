"""How does SQLite get room on a full disk? Before it is opened or written to, from the reserve.

Opening needs some as well: the first connection makes the write-ahead log and its index.
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


class NotingErrors(DatabaseErrorWrapper):
    """Django's translation of errors; those of a full disk make room for the next attempt."""

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
    """A connection that finds room for what people do."""

    def get_new_connection(self, conn_params: Any) -> Any:
        """Open the database."""
        disk_reserve.let_go()
        try:
            return super().get_new_connection(conn_params)
        except self.Database.OperationalError as error:
            if not disk_reserve.note(error):
                raise
            return super().get_new_connection(conn_params)

    def _start_transaction_under_autocommit(self) -> None:
        disk_reserve.let_go()
        super()._start_transaction_under_autocommit()  # type: ignore[misc]  # not in the stubs

    @cached_property
    def wrap_database_errors(self) -> NotingErrors:
        """Return what each call of the database is wrapped in."""
        return NotingErrors(self)
