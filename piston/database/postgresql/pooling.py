"""Detects a pooler that shares sessions among clients, where parameters have to be the role's.

PgBouncer does so in *transaction* mode. Then a client's settings hold for the session's next
client, and not for the first client's own next transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

logger = logging.getLogger(__name__)

MARK = "piston.session"  # our own parameter: if it is set, the session had another client before

_has_warned = False  # once in each process


def begin_session(connection: Any, parameters: Mapping[str, object]) -> bool:
    """Set a session's parameters; return whether another client of ours had the session before.

    In *session* mode a pooler resets a session before it hands it on.
    """
    chosen = {**parameters, MARK: "begun"}
    settings = ", ".join(["set_config(%s, %s, false)"] * len(chosen))
    values = [str(each) for pair in chosen.items() for each in pair]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT current_setting('{MARK}', true), {settings}", values)
        (mark, *_) = cursor.fetchone()
    return bool(mark)


def notice(settings: dict[str, Any], connection: Any, wanted: Mapping[str, object]) -> None:
    """Disable what needs a session of our own; warn once if the parameters are not certain."""
    global _has_warned  # noqa: PLW0603 - of this process only; nothing but the log depends on it
    settings["DISABLE_SERVER_SIDE_CURSORS"] = True
    if _has_warned or not (missing := find_missing(connection, wanted)):
        return
    _has_warned = True
    commands = " ".join(f"ALTER ROLE … SET {name} = {value!r};" for name, value in missing.items())
    logger.warning(
        "A pooler hands the database's sessions on after each transaction, so their parameters are"
        " not certain. Let it pool by session, or give them to the role: %s (docs/scaling.md)",
        commands,
    )


def find_missing(connection: Any, wanted: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters that a new session does not have by default."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s)", [list(wanted)]
        )
        begun_with = dict(cursor.fetchall())
    return {name: value for name, value in wanted.items() if begun_with.get(name) != str(value)}
