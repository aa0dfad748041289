"""Sets our parameters by the first statement of a PostgreSQL session, not by start-up options.

A pooler refuses start-up options, or drops them silently. A role's own settings hold until a
statement overrides them.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

from piston.database.postgresql import pooling
from piston.node import node_name
from piston.relied_on import SET_IN_INIT, rely_on

SESSION = "session"  # the key in the settings' OPTIONS of the parameters of each session
SINCE = {"idle_session_timeout": 140_000, "transaction_timeout": 170_000}  # versions of the server
MAX_NAME_CHARACTERS = 63  # PostgreSQL truncates longer ones

# SQLSTATEs that psycopg counts as a program's faults although they are the server's: it is
# read-only, or it ended a transaction that was idle, or lasted, too long
SERVERS_FAULTS = frozenset({"25006", "25P03", "25P04"})


rely_on(
    __name__,
    DatabaseErrorWrapper,
    __exit__="self, exc_type, exc_value, traceback",
    wrapper=SET_IN_INIT,
)
rely_on(
    __name__,
    base.DatabaseWrapper,
    get_connection_params="self",
    init_connection_state="self",
    _configure_connection="self, connection",
    timezone_name=cached_property,
    wrap_database_errors=cached_property,
)


class ServerFaultErrors(DatabaseErrorWrapper):
    """Django's translation of errors, which makes a server's fault an OperationalError."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise Django's error."""
        if getattr(error, "sqlstate", None) in SERVERS_FAULTS:
            kind = self.wrapper.Database.OperationalError  # type: ignore[attr-defined]
        super().__exit__(kind, error, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose session has the parameters of `OPTIONS["session"]`."""

    def get_connection_params(self) -> dict[str, Any]:
        """Return the parameters with which the connection is opened."""
        parameters: dict[str, Any] = super().get_connection_params()
        parameters.pop(SESSION, None)
        parameters["application_name"] = session_name(parameters.get("application_name", "piston"))
        return parameters

    def init_connection_state(self) -> None:
        """Set the session up, and close a connection for which that failed."""
        try:
            super().init_connection_state()
        except BaseException:
            self.close()
            raise

    def _configure_connection(self, connection: Any) -> bool:
        """Set the session's parameters, including its time zone, in one statement."""
        wanted = self.settings_dict["OPTIONS"].get(SESSION, {})
        version = connection.info.server_version
        wanted = {name: wanted[name] for name in wanted if version >= SINCE.get(name, 0)}
        was_shared = pooling.begin_session(connection, {"TimeZone": self.timezone_name, **wanted})
        if was_shared:
            pooling.notice(self.settings_dict, connection, wanted)
        super()._configure_connection(connection)  # type: ignore[misc]  # not in the stubs
        return True

    @cached_property
    def wrap_database_errors(self) -> ServerFaultErrors:
        """Return the translation of errors for each call of the database."""
        return ServerFaultErrors(self)


def session_name(prefix: str = "piston") -> str:
    """Return the name of this thread's sessions in PostgreSQL; it is unique to the thread."""
    name = f"{prefix[:20]} {threading.get_native_id()} {node_name()}"
    return name.encode("ascii", "replace").decode()[:MAX_NAME_CHARACTERS]
