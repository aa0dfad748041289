"""Which safeguards against trouble with the database can be taken out? Added to the others."""

from __future__ import annotations

from tests.acceptance.chaos.breakages import BREAKAGES, Breakage, Change

LOCKS = "piston/database/locks.py"
SESSIONS = "piston/database/postgresql/base.py"

for breakage in (
    Breakage(
        "locks-waited-for",
        "scheduling waits for rows that another process has locked",
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
        "a process claims nothing while a claim that it has to give back is locked",
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
        "time that a row waits for the database counts as the row's own",
        (
            Change(
                "categories/running/time_limit.py",
                "        if error.was_querying:\n"
                "            database_waits.raise_if_kept_waiting(error)\n",
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
        "times that the database's clock wrote while it was ahead are not corrected",
        (
            Change(
                "tasks_app/upkeep/sweeping.py",
                "        *(() if is_short else (future_times.correct_future_times,)),\n",
                "",
            ),
        ),
    ),
    Breakage(
        "read-only-unknown",
        "a database that takes no writes counts as an error of the program",
        (
            Change(SESSIONS, 'frozenset({"25006", ', "frozenset({"),
            Change(
                "piston/database/database_errors.py",
                "        READ_ONLY_TRANSACTION,  # the right to write at all\n",
                "",
            ),
        ),
    ),
    Breakage(
        "options-at-the-start",
        "time-outs are start-up options of a session, which poolers refuse",
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
        "an error of the database fails the row that meets it",
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
