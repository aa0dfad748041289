"""Was anything lost or done twice? Files against tables, counts and events, row by row."""

from __future__ import annotations

import csv
import io
import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tasks_app.states import MOVES
from tests.acceptance.chaos.scene import Scene
from tests.acceptance.chaos.work import Line, Sent, Work

WRITES = frozenset({"write", "spread", "each", "linger", "alone"})
CALLS = frozenset({"call", "call_again"})
VISIBILITY_SECONDS = 120  # after which Redis hands out what a dead worker had
DUST_SECONDS = VISIBILITY_SECONDS + 30  # also more than unfinished files are kept
SHOWN = 5  # problems of a kind
LEGAL = {(str(move.start), str(move.end)) for move in MOVES}


def reconcile(work: Work) -> list[str]:
    """Return what is wrong with the tasks of some work; nothing when all is well."""
    problems: list[str] = []
    for sent in work.sent:
        found = list(Reconciliation(work.scene, sent).problems())
        problems += [f"{sent.action}: {problem}" for problem in found[:SHOWN]]
        if len(found) > SHOWN:
            problems.append(f"{sent.action}: … and {len(found) - SHOWN} more")
    return problems


class Reconciliation:
    """One task, row by row."""

    def __init__(self, scene: Scene, sent: Sent) -> None:
        self.scene = scene
        self.sent = sent
        self.task = scene.client.get(sent.task_id)
        self.succeeded: list[Line] = []
        self.failed: list[Line] = []
        self.indeterminate: list[Line] = []
        self.unprocessed: list[Line] = []

    def problems(self) -> Iterator[str]:
        """Yield everything that is not as it has to be."""
        yield from self.output_problems()
        yield from self.file_problems()
        yield from self.count_problems()
        if self.sent.action in WRITES:
            yield from self.effect_problems()
        if self.sent.action in CALLS:
            yield from self.call_problems()
        yield from self.event_problems()
        yield from self.remainder_problems()

    def download(self, name: str) -> bytes:
        """Return a file of the task."""
        return self.scene.client.download(self.sent.task_id, name)

    def output_problems(self) -> Iterator[str]:
        """Compare out.csv with the input, row by row and byte by byte."""
        if "out.csv" not in self.task["csvs"]:
            yield f"there is no out.csv; {self.task}"
            self.unprocessed = self.sent.lines
            return
        content = self.download("out.csv")
        if self.sent.page_rows:
            numbers = [str(number) for number in range(self.sent.page_rows)]
            if content.decode().split() != ["number", *numbers]:
                yield "the pages of out.csv are not the numbers in order"
            return
        header = b"name,note,do,seen,error\n"
        if not content.startswith(header):
            yield f"out.csv begins with {content[:60]!r}"
        place = len(header)
        for index, line in enumerate(self.sent.lines):
            if place == len(content) and (self.sent.is_stopped or self.sent.is_input_lost):
                self.unprocessed = self.sent.lines[index:]
                return
            end = content.find(b"\n", place + len(line.raw))
            if not content.startswith(line.raw + b",", place) or end < 0:
                yield f"row {index + 1} of the input is not where it belongs in out.csv"
                self.unprocessed = self.sent.lines[index:]
                return
            yield from self.row_problems(line, content[place + len(line.raw) + 1 : end].decode())
            place = end + 1
        if place != len(content):
            yield f"out.csv has more than one line per row: {content[place:][:60]!r}"

    def row_problems(self, line: Line, added: str) -> Iterator[str]:
        """Compare what was added to a row with what it says."""
        cells = next(csv.reader(io.StringIO(added)))
        seen, error = cells if len(cells) == 2 else ("?", f"not two cells: {added!r}")
        if not error:
            self.succeeded.append(line)
        elif error.startswith("indeterminate"):
            self.indeterminate.append(line)
        else:
            self.failed.append(line)
        if error.startswith("indeterminate") and self.sent.indeterminate_count:
            return
        wanted = {"": "", "ask": "", "fail": "told to fail"}.get(
            line.do, self.sent.tolerated.get(line.do)
        )
        matches = (
            error == wanted if line.do in {"", "ask", "fail"} else re.search(wanted or "$^", error)
        )
        if not matches:
            yield f"{line.name} ({line.do or 'good'}) has the error {error!r}, not {wanted!r}"
        if seen != ("" if error else line.name.upper()):
            yield f"{line.name} has the output {seen!r}"

    def file_problems(self) -> Iterator[str]:
        """Compare the other files with out.csv and with what was sent."""
        names = self.task["csvs"]
        if self.sent.page_rows:
            return
        if self.sent.is_input_lost:
            yield from self.loss_problems()
            return
        wanted = {"failed.csv": self.failed, "unprocessed.csv": self.unprocessed}
        for name, lines in wanted.items():
            content = b"name,note,do\n" + b"".join(line.raw + b"\n" for line in lines)
            if bool(lines) != (name in names):
                yield f"{len(lines)} rows belong into {name}, the files are {names}"
            elif lines and self.download(name) != content:
                yield f"{name} does not have the rows that out.csv says"
        if self.download("in.csv") != self.sent.content:
            yield "in.csv is not what was sent"

    def loss_problems(self) -> Iterator[str]:
        """See that nothing is offered of an input that is lost, and that its owner is told."""
        reason = self.task.get("reason", "")
        if not re.search(r"\brows \d+ to \d+$", reason) or "/" in reason:
            yield f"the reason is {reason!r}"
        for name in ("in.csv", "unprocessed.csv"):
            answer = self.scene.client.session.get(
                f"{self.scene.client.tasks}/{self.sent.task_id}?csv_name={name}", timeout=60
            )
            if name in self.task["csvs"] or answer.status_code != 404:
                yield f"{name} is offered, and answered with {answer.status_code}"

    def count_problems(self) -> Iterator[str]:
        """Compare the counts and the status with out.csv."""
        success_count = self.sent.page_rows or len(self.succeeded)
        failure_count = len(self.failed) + len(self.indeterminate)
        for key, count in (("success_count", success_count), ("failure_count", failure_count)):
            if self.task[key] != count:
                yield f"{key} is {self.task[key]}, out.csv has {count}"
        status = "success"
        if failure_count:
            status = "partial" if success_count else "failure"
        if self.sent.is_stopped:
            status = "stopped"
        if self.sent.is_input_lost:
            status = "internal_error"
        if self.task["status"] != status:
            yield f"it ended as {self.task['status']} ({self.task.get('reason')}), not {status}"
        if len(self.indeterminate) != self.sent.indeterminate_count:
            wanted = self.sent.indeterminate_count
            yield f"{len(self.indeterminate)} rows are indeterminate, not {wanted}"

    def effect_problems(self) -> Iterator[str]:
        """Compare the domain's table with out.csv: each good row once, in order."""
        rows = self.scene.execute(
            "SELECT name FROM chaos_effect WHERE task_id = %s ORDER BY id", self.sent.task_id
        )
        done = [name for (name,) in rows]
        wanted = [line.name for line in self.succeeded]
        for name, count in (Counter(done) - Counter(wanted)).items():
            yield f"{name} was done {count} times too often"
        for name in Counter(wanted) - Counter(done):
            yield f"{name} is in out.csv but was not done"
        if self.sent.action != "spread" and sorted(done) == wanted != done:
            yield "rows were not done in order"

    def call_problems(self) -> Iterator[str]:
        """Compare the calls that arrived outside with out.csv."""
        calls = self.scene.world.calls_of(self.sent.task_id)
        wanted = {line.name for line in self.succeeded}
        unknown = {line.name for line in self.indeterminate}
        for name in wanted - calls.keys():
            yield f"{name} is in out.csv but was never called"
        for name in calls.keys() - wanted - unknown:
            yield f"{name} was called, but out.csv does not say so"
        for name, keys in calls.items():
            if len(keys) > 1 and self.sent.action == "call":
                yield f"{name} was called {len(keys)} times"
            if len(set(keys)) > 1:
                yield f"{name} was called with {len(set(keys))} different effect keys"
        repeated = [name for name, keys in calls.items() if len(keys) > 1]
        if self.sent.action == "call_again" and len(repeated) > self.sent.most_repeated:
            yield f"{len(repeated)} rows were called again, not {self.sent.most_repeated}"
        every = [key for keys in calls.values() for key in set(keys)]
        if len(every) != len(set(every)):
            yield "rows share an effect key"

    def event_problems(self) -> Iterator[str]:
        """Follow the task's life through its events."""
        events = self.scene.execute(
            "SELECT kind, old_status, new_status FROM tasks_app_taskevent"
            " WHERE task_id = %s ORDER BY id",
            self.sent.task_id,
        )
        moves = [(old, new) for _, old, new in events if old and old != new]
        kinds = Counter(kind for kind, _, _ in events)
        last = "stopped" if self.sent.is_stopped else "ended"
        retried = self.sent.retry_count
        wanted = Counter({"created": 1, "started": 1, "ended": retried, "retried": retried})
        wanted[last] += 1
        for kind in ("created", "started", "retried", last):
            if kinds[kind] != wanted[kind]:
                yield f"{kinds[kind]} events say {kind}, not {wanted[kind]}"
        if not set(moves) <= LEGAL or any(
            before[1] != after[0] for before, after in pairwise(moves)
        ):
            yield f"its statuses went {moves}"
        if kinds["indeterminate"] != len(self.indeterminate):
            yield f"{kinds['indeterminate']} events say indeterminate"

    def remainder_problems(self) -> Iterator[str]:
        """Look for what should have gone with the end."""
        may_be_retried = self.task["status"] == "internal_error" and self.unprocessed
        done = self.task["success_count"] + self.task["failure_count"]
        open_states = "state IN ('sent', 'waiting', 'known')"
        questions = {
            "rows in parts": (
                "SELECT COALESCE(SUM(row_count), 0) FROM tasks_app_part WHERE task_id = %s",
                done if may_be_retried else 0,
            ),
            "unanswered effects": (
                f"SELECT count(*) FROM tasks_app_effect WHERE task_id = %s AND {open_states}",
                0,
            ),
        }
        for name, (statement, wanted) in questions.items():
            count = self.scene.execute(statement, self.sent.task_id)[0][0]
            if count != wanted:
                yield f"{count} {name} are left, not {wanted}"


def dust_problems(scene: Scene) -> list[str]:
    """Wait for the dust to settle and return what is still there that nobody owns."""
    deadline = time.monotonic() + DUST_SECONDS
    while (dust := list(find_dust(scene))) and time.monotonic() < deadline:
        time.sleep(0.5)
    return dust


def find_dust(scene: Scene) -> Iterator[str]:
    """Yield what nobody owns: files, records of files, claims, messages."""
    known = {key for (key,) in scene.execute("SELECT key FROM tasks_app_taskcsv")}
    stored = scene.stored_files() | (scene.lost_files & known)
    if stored != known:
        yield f"files without a record: {len(stored - known)}; without a file: {known - stored}"
    questions: dict[str, Any] = {
        "records of files without a task": "tasks_app_taskcsv WHERE task_id IS NULL",
        "claims": "tasks_app_segment WHERE claimed_until > CURRENT_TIMESTAMP",
        "parts of tasks that have ended": (
            "tasks_app_part WHERE task_id IN (SELECT id FROM tasks_app_task WHERE is_assembled"
            " AND NOT (status = 'internal_error' AND id IN"
            " (SELECT task_id FROM tasks_app_segment WHERE NOT is_done)))"
        ),
    }
    for name, rest in questions.items():
        count = scene.execute(f"SELECT count(*) FROM {rest}")[0][0]
        if count:
            yield f"{count} {name}"
    if messages := scene.waiting_messages():
        yield f"{messages} messages"
