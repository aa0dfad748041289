"""Would the harness notice? Copies of the code with one safeguard taken out each."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.installation import ROOT

LEFT_OUT = shutil.ignore_patterns(".*", "var", "__pycache__", "docs", "node_modules")


@dataclass(frozen=True)
class Change:
    """One passage of the code and what stands there in the broken build."""

    path: str
    passage: str
    instead: str


@dataclass(frozen=True)
class Breakage:
    """A safeguard that is taken out."""

    name: str
    what: str
    changes: tuple[Change, ...]


LEDGER = "tasks_app/execution/ledger.py"
BATCHES = "tasks_app/execution/batches.py"
EFFECTS = "tasks_app/execution/external.py"
SETTINGS = "piston/settings/celery.py"
DATABASE = "piston/settings/database.py"
SWEEPING = "tasks_app/upkeep/sweeping.py"
SEGMENT = "tasks_app/models/segment.py"
CLAIMS = "tasks_app/models/claims.py"
JOURNAL = "tasks_app/execution/external_journal.py"
PART_NUMBER = "number=segment.part_count,"
COUNTED_PART_NUMBER = (
    "number=Part.objects.filter(task=segment.task_id, segment_index=segment.index).count(),"
)
MISFORTUNE = """\
        commit_outcomes(run, batch, lambda: attempt.run(rows))
    except (ClaimLost, *NOT_THE_ROWS_FAULT):
        raise
"""

BREAKAGES = {
    breakage.name: breakage
    for breakage in (
        Breakage(
            "no-fence",
            "the fence is removed: a worker commits even if its claim is not the newest",
            (
                Change(CLAIMS, '{"pk": key, self.number: number}', '{"pk": key}'),
                Change(LEDGER, PART_NUMBER, COUNTED_PART_NUMBER),
            ),
        ),
        Breakage(
            "cursor-apart",
            "the cursor is committed separately, a moment after the rows",
            (
                Change(
                    LEDGER,
                    '    cursor_row=F("cursor_row") + Slot.number("row_count"),\n'
                    '    cursor_offset=Slot.number("next_offset"),\n'
                    '    page_cursor=Slot.json("page_cursor"),\n',
                    "",
                ),
                Change(LEDGER, '    is_done=Slot.boolean("was_last"),\n', ""),
                Change(
                    LEDGER,
                    "    segment.cursor_row += done.row_count\n",
                    "    import time\n\n"
                    "    time.sleep(0.3)\n"
                    "    segment.cursor_row += done.row_count\n"
                    "    Segment.objects.filter(pk=segment.pk).update(\n"
                    "        cursor_row=segment.cursor_row,\n"
                    "        cursor_offset=done.next_offset,\n"
                    "        page_cursor=done.page_cursor,\n"
                    "        is_done=done.was_last,\n"
                    "    )\n",
                ),
            ),
        ),
        Breakage(
            "claims-for-ever",
            "claims never expire: only the worker that has one can give it back",
            (Change(CLAIMS, 'Q(**{f"{self.until}__lt": Now()})', "Q(pk=None)"),),
        ),
        Breakage(
            "no-journal",
            "external rows are not journaled before they are sent",
            (
                Change(
                    JOURNAL,
                    "entries = Effect.objects.bulk_create(new_entry(segment, row) for row in new)",
                    "entries = [new_entry(segment, row) for row in new]",
                ),
            ),
        ),
        Breakage(
            "fresh-keys",
            "a row that is sent again gets another effect key",
            (
                Change(
                    JOURNAL,
                    'f"{task_id}/{row_number}"',
                    'f"{task_id}/{row_number}/{os.urandom(8).hex()}"',
                ),
                Change(JOURNAL, "import hashlib\n", "import hashlib\nimport os\n"),
            ),
        ),
        Breakage(
            "no-answer-fails",
            "a row without an answer counts as failed, and `failed.csv` offers it again",
            (
                Change(
                    "categories/running/calls.py",
                    "    return unanswered\n",
                    "    return RowFailed(describe_failure(error))\n",
                ),
                Change(
                    EFFECTS,
                    "        if row.attempt_count > 1:\n",
                    "        if row.attempt_count > 10**9:\n",
                ),
            ),
        ),
        Breakage(
            "attempts-uncounted",
            "attempts to send a row are not counted, so no attempt is the last",
            (Change(JOURNAL, 'attempt_count=F("attempt_count") + 1, state', "state"),),
        ),
        Breakage(
            "sent-left-open",
            "a row that waits for its next attempt is lost when its task ends",
            (
                Change(
                    "tasks_app/execution/assembly.py",
                    "    unanswered.settle(task)\n",
                    "",
                ),
            ),
        ),
        Breakage(
            "no-alarm",
            "rows have no time limit",
            (
                Change(
                    "categories/running/time_limit.py",
                    "    if threading.current_thread()",
                    "    if True or threading.current_thread()",
                ),
            ),
        ),
        Breakage(
            "no-blame",
            "poison rows are retried for ever",
            (
                Change(
                    "tasks_app/execution/poison_rows.py",
                    "MAX_DEATHS = 2",
                    "MAX_DEATHS = 10**9",
                ),
            ),
        ),
        Breakage(
            "no-ledger-reading",
            "a commit that raised counts as failed: its rows are written again at once",
            (
                Change(
                    BATCHES,
                    MISFORTUNE,
                    "        commit_outcomes(run, batch, lambda: attempt.run(rows))\n"
                    "    except ClaimLost:\n"
                    "        raise\n"
                    "    except NOT_THE_ROWS_FAULT:\n"
                    "        connection.close()\n"
                    "        commit_outcomes(run, batch, lambda: attempt.run(rows))\n",
                ),
                Change(LEDGER, PART_NUMBER, COUNTED_PART_NUMBER),
            ),
        ),
        Breakage(
            "commits-trusted",
            "a commit that raised counts as done: the worker continues after its rows",
            (
                Change(
                    BATCHES,
                    "    with transaction.atomic():\n        allow_time(",
                    "    with trusting(), transaction.atomic():\n        allow_time(",
                ),
                Change(
                    BATCHES,
                    "def fail_after_grace_period(",
                    "@contextmanager\n"
                    "def trusting() -> Iterator[None]:\n"
                    "    try:\n"
                    "        yield\n"
                    "    except NOT_THE_ROWS_FAULT:\n"
                    "        connection.close()\n\n\n"
                    "def fail_after_grace_period(",
                ),
            ),
        ),
        Breakage(
            "journal-after-call",
            "external rows are journaled after they were sent",
            (
                Change(
                    EFFECTS,
                    "    admission = external_journal.write(\n",
                    "    send(run, chosen)\n    admission = external_journal.write(\n",
                ),
                Change(EFFECTS, "    send(run, sent)\n", ""),
            ),
        ),
        Breakage(
            "no-keepalives",
            "a silent connection to the database is never closed",
            (
                Change(DATABASE, '"tcp_user_timeout": claim_milliseconds', '"keepalives": 0'),
                Change(DATABASE, '"keepalives_count": 3,', ""),
            ),
        ),
        Breakage(
            "no-sweeper",
            "the sweeper does not send lost messages again",
            (
                Change(SWEEPING, "        wake_silent_tasks,\n", ""),
                Change(SWEEPING, "        request_assemblies,\n", ""),
            ),
        ),
        Breakage(
            "errors-hidden",
            "a start whose commit raised is answered as a success",
            (
                Change(
                    "tasks_app/lifecycle.py",
                    "@transaction.atomic\ndef start_pending(",
                    "def hopeful(act: Any) -> Any:\n"
                    "    def attempt(task: Task, actor: Actor) -> None:\n"
                    "        try:\n"
                    "            act(task, actor)\n"
                    "        except OperationalError:\n"
                    "            connection.close()\n\n"
                    "    return attempt\n\n\n"
                    "@hopeful\n@transaction.atomic\ndef start_pending(",
                ),
                Change(
                    "tasks_app/lifecycle.py",
                    "from django.db import transaction\n",
                    "from typing import Any\n\n"
                    "from django.db import OperationalError, connection, transaction\n",
                ),
            ),
        ),
        Breakage(
            "messages-used-up",
            "a worker without a database uses up messages and does not hand them back",
            (
                Change(
                    "tasks_app/tasks.py",
                    "with sending.requeued_without_database():",
                    "if sending:",
                ),
            ),
        ),
    )
}


def broken_copy(breakage: Breakage, folder: Path) -> Path:
    """Copy the code into a folder and take the safeguard out; return where it is.

    Raises ValueError when the code has changed so that there is nothing to take out.
    """
    copy = folder / "code"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    for change in breakage.changes:
        file = copy / change.path
        code = file.read_text()
        if change.passage not in code:
            raise ValueError(
                f"{breakage.name}: {change.path} no longer has the passage {change.passage!r};"
                " see tests/acceptance/chaos/breakages.py."
            )
        file.write_text(code.replace(change.passage, change.instead))
    return copy
