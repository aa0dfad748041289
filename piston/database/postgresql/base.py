"""How does a session of PostgreSQL get our parameters? By its first statement, not as it is opened.

A pooler refuses start-up options, or drops them in silence. And a role's own settings hold until
a statement says otherwise.
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

SESSION = "session"  # among the OPTIONS of the settings: the parameters of each session
SINCE = {"idle_session_timeout": 140_000, "transaction_timeout": 170_000}  # versions of the server
MAX_NAME_CHARACTERS = 63  # PostgreSQL cuts longer ones off

# SQLSTATEs that psycopg has among a program's faults, though the server is what is the matter: it
# is read-only, or it ended a transaction that had stood still, or lasted, for too long
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


class TellingServersFaults(DatabaseErrorWrapper):
    """Django's translation of errors; what is the server's fault becomes an OperationalError."""

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
        """Return what the connection is opened with."""
        parameters: dict[str, Any] = super().get_connection_params()
        parameters.pop(SESSION, None)
        parameters["application_name"] = session_name(parameters.get("application_name", "piston"))
        return parameters

    def init_connection_state(self) -> None:
        """Make the session ours; a connection for which that failed is not used."""
        try:
            super().init_connection_state()
        except BaseException:
            self.close()
            raise

    def _configure_connection(self, connection: Any) -> bool:
        """Set the session's parameters, its time zone among them, in one statement."""
        wanted = self.settings_dict["OPTIONS"].get(SESSION, {})
        version = connection.info.server_version
        wanted = {name: wanted[name] for name in wanted if version >= SINCE.get(name, 0)}
        was_shared = pooling.begin_session(connection, {"TimeZone": self.timezone_name, **wanted})
        if was_shared:
            pooling.notice(self.settings_dict, connection, wanted)
        super()._configure_connection(connection)  # type: ignore[misc]  # not in the stubs
        return True

    @cached_property
    def wrap_database_errors(self) -> TellingServersFaults:
        """Return what each call of the database is wrapped in."""
        return TellingServersFaults(self)


def session_name(prefix: str = "piston") -> str:
    """Return what PostgreSQL calls this thread's sessions: no other thread's have that name."""
    name = f"{prefix[:20]} {threading.get_native_id()} {node_name()}"
    return name.encode("ascii", "replace").decode()[:MAX_NAME_CHARACTERS]
