"""Which safeguards against blaming the wrong one can be taken out? Added to the other breakages."""

from __future__ import annotations

from tests.acceptance.chaos.breakages import BREAKAGES, Breakage, Change

NOTHING_IS_MISSING = Change(
    "piston/database/database_errors.py",
    "        return state in MISSING or state.startswith(DAMAGED) or is_without_partition(error)\n",
    "        return False\n",
)

for breakage in (
    Breakage(
        "missing-tables-blamed",
        "a row fails when its action lacks a table or a column, as after any exception",
        (NOTHING_IS_MISSING,),
    ),
    Breakage(
        "ledger-blames-action",
        "if the database refuses a statement of ours, the action is blamed",
        (
            Change(
                "tasks_app/execution/ledger.py",
                "        raise LedgerRefused(database_errors.describe(error)) from error\n",
                "        raise\n",
            ),
            NOTHING_IS_MISSING,  # else the action waits for what the ledger lacks
        ),
    ),
    Breakage(
        "any-schema",
        "no process checks whether the database's schema fits its code",
        (
            Change(
                "piston/database/schema.py",
                "self._looked_at = time.monotonic()\n        return self._problem",
                "self._looked_at = time.monotonic()\n        return None",
            ),
        ),
    ),
    Breakage(
        "silent-workers",
        "a worker that cannot give its claim back does not try again: it counts as dead",
        (
            Change(
                "tasks_app/execution/releasing.py",
                "        connection.close()\n        self.add_for_later(release)\n",
                "        connection.close()\n",
            ),
        ),
    ),
    Breakage(
        "ended-counts-as-killed",
        "a process that Celery ends counts as killed by its row",
        (Change("tasks_app/tasks.py", ", on_cancelled=release_cancelled)", ")"),),
    ),
):
    BREAKAGES[breakage.name] = breakage
