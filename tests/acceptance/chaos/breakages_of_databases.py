"""Which safeguards against trouble with the database can be taken out? Added to the others."""

from __future__ import annotations

from tests.acceptance.chaos.breakages import BREAKAGES, Breakage, Change

LOCKS = "piston/database/locks.py"
SESSIONS = "piston/database/postgresql/base.py"

for breakage in (
    Breakage(
        "locks-waited-for",
        "whoever looks for work waits for rows that somebody else has locked",
        (
            Change(
                LOCKS,
                "    return bool(connection.features.has_select_for_update_skip_locked)\n",
                "    return False\n",
            ),
            Change(LOCKS, "BRIEF_MILLISECONDS = 250", "BRIEF_MILLISECONDS = 20_000"),
        ),
    ),
    Breakage(
        "locked-claims-first",
        "a process claims nothing while a claim that it gives back is locked",
        (
            Change(
                "tasks_app/execution/releasing.py",
                "                    if not locks.is_locked(error):\n"
                "                        raise\n",
                "                    raise\n",
            ),
        ),
    ),
    Breakage(
        "waits-blamed",
        "a row that the database keeps waiting has taken too long",
        (
            Change(
                "categories/running/time_limit.py",
                "        if error.was_asking:\n            database_waits.blame_the_wait(error)\n",
                "",
            ),
            Change(
                "piston/settings/database.py",
                '"lock_timeout": min(5_000, claim_milliseconds)',
                '"lock_timeout": 0',
            ),
            Change("categories/running/database_waits.py", "int(row_seconds * 500)", "0"),
        ),
    ),
    Breakage(
        "future-believed",
        "a time that the database's clock wrote while it was ahead is waited for",
        (
            Change(
                "tasks_app/upkeep/sweeping.py",
                "        *(() if is_short else (future_times.bring_back,)),\n",
                "",
            ),
        ),
    ),
    Breakage(
        "read-only-unknown",
        "that the database takes no writes is an error of the program",
        (Change(SESSIONS, 'frozenset({"25006", ', "frozenset({"),),
    ),
    Breakage(
        "options-at-the-start",
        "time-outs are asked for as a session is opened, which poolers refuse",
        (
            Change(
                SESSIONS,
                "        parameters.pop(SESSION, None)\n",
                "        parameters.pop(SESSION, None)\n"
                '        parameters["options"] = "-c lock_timeout=5000"\n',
            ),
        ),
    ),
    Breakage(
        "roles-time-outs",
        "sessions have the time-outs of their role",
        (Change(SESSIONS, '["OPTIONS"].get(SESSION, {})', '["OPTIONS"].get("", {})'),),
    ),
    Breakage(
        "trouble-blamed",
        "what goes wrong with the database is the fault of the row that meets it",
        (
            Change(
                "categories/running/attempts.py",
                "NOT_THE_ROWS_FAULT = (OperationalError, ",
                "NOT_THE_ROWS_FAULT = (",
            ),
        ),
    ),
):
    BREAKAGES[breakage.name] = breakage
