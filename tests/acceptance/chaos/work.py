"""What is under way while something breaks? Tasks whose every row says what has to become of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.acceptance.chaos.scene import CLAIM_SECONDS, SILENCE_SECONDS, SWEEP_SECONDS, Scene

NOTES = ("plain", '"a, ""quoted"" one"', '"two\nlines"', "", "é ☎ 電話", "=1+1", "'  '")
BOOT_SECONDS = 10  # of a worker, on a machine that is busy
# after a fault, work goes on within a claim, a message that counts as lost, two sweeps
MAX_RECOVERY = CLAIM_SECONDS + SILENCE_SECONDS + 2 * SWEEP_SECONDS + BOOT_SECONDS
MAX_STILL = 60  # seconds without any progress before a task counts as lost


@dataclass(frozen=True)
class Line:
    """A row of an input."""

    name: str
    raw: bytes  # as it stands in the file, without its line end
    do: str


@dataclass
class Sent:
    """A task and what has to come of it."""

    action: str
    content: bytes
    lines: list[Line]
    task_id: str
    page_rows: int = 0
    is_stopped: bool = False
    is_input_lost: bool = False  # or altered, in storage
    retry_count: int = 0  # how often it had ended `internal_error` and was retried
    indeterminate_count: int = 0  # of an external action that must not be repeated
    most_repeated: int = 0  # of one that may be: rows that were in flight
    tolerated: dict[str, str] = field(default_factory=dict)  # by `do`: what its message says


def make_lines(
    random: Random, count: int, special: dict[int, str], *, width: int = 0
) -> list[Line]:
    """Return rows with awkward notes; some fail, and some do what `special` says of their index.

    With a `width` the notes are so many bytes long instead, where large files are wanted.
    """
    lines = []
    for index in range(count):
        do = special.get(index, "fail" if index % 53 == 7 else "")
        name = f"r{index:07d}"
        note = f"{name} " * (width // 9) if width else random.choice(NOTES)
        lines.append(Line(name, f"{name},{note},{do}".encode(), do))
    return lines


def content_of(lines: Iterable[Line]) -> bytes:
    """Return the file that has these rows."""
    return b"name,note,do\n" + b"".join(line.raw + b"\n" for line in lines)


class Work:
    """Tasks of a scene; `random` decides how far they come before something happens."""

    def __init__(self, scene: Scene, random: Random, *, is_short: bool = False) -> None:
        self.scene = scene
        self.random = random
        self.is_short = is_short
        self.sent: list[Sent] = []
        self.recovery_seconds: float | None = None  # the longest one
        self.remarks: list[str] = []

    def upload(self, action: str, rows: int = 3_000, special: dict[int, str] | None = None) -> Sent:
        """Create a task."""
        return self.send(action, make_lines(self.random, rows, special or {}))

    def send(self, action: str, lines: list[Line]) -> Sent:
        """Create a task that has these rows."""
        task_id = self.scene.client.upload(
            content_of(lines), category="chaos", action=action, file_name="chaos.csv"
        )
        return self.adopt(action, lines, task_id)

    def adopt(self, action: str, lines: list[Line], task_id: str) -> Sent:
        """Take note of a task that was created."""
        sent = Sent(action, content_of(lines), lines, task_id)
        self.sent.append(sent)
        return sent

    def start(self, sent: Sent) -> Sent:
        """Start a task."""
        self.scene.client.call("PATCH", sent.task_id)
        return sent

    def begin(
        self, *actions: str, rows: int = 3_000, special: dict[int, str] | None = None
    ) -> list[Sent]:
        """Create tasks and start them."""
        return [self.start(self.upload(action, rows, special)) for action in actions]

    def begin_pages(self) -> Sent:
        """Create a task without input and start it."""
        client = self.scene.client
        answer = client.session.put(
            client.tasks, params={"category": "chaos", "action": "pages"}, timeout=60
        )
        assert answer.status_code == 201, answer.text
        sent = Sent("pages", b"", [], answer.json()["data"]["_read_only"]["id"], page_rows=3_000)
        self.sent.append(sent)
        return self.start(sent)

    def standing(self) -> list[tuple[Any, ...]]:
        """Return the counts and whether it is over, of each task; past a database that is away."""
        ids = [sent.task_id for sent in self.sent]
        places = ", ".join(["%s"] * len(ids))
        return self.scene.keep_trying(  # type: ignore[no-any-return]
            lambda: self.scene.execute(
                "SELECT id, success_count + failure_count, is_assembled, assembly_claim"
                f" FROM tasks_app_task WHERE id IN ({places}) ORDER BY id",
                *ids,
            ),
            seconds=60,
        )

    def done_rows(self) -> int:
        """Return how many rows have an outcome."""
        return sum(row[1] for row in self.standing())

    def is_over(self) -> bool:
        """Has every task ended, with its output?"""
        return all(row[2] for row in self.standing())

    def get_going(self, low: float = 0.05, high: float = 0.4) -> None:
        """Wait until a random share of all rows is done."""
        rows = sum(len(sent.lines) or sent.page_rows for sent in self.sent)
        wanted = int(rows * self.random.uniform(low, high))
        self.wait_for(lambda: self.done_rows() >= wanted, MAX_STILL)

    def go_on(self, *, within: float = MAX_RECOVERY) -> None:
        """Measure how long it takes until another row is done, or a task is over."""
        before, started = self.standing(), time.monotonic()
        self.wait_for(lambda: self.standing() != before or self.is_over(), within)
        seconds = time.monotonic() - started
        self.recovery_seconds = max(seconds, self.recovery_seconds or 0)

    def recover(self, act: Callable[[], Any]) -> Any:
        """Measure how long it takes until something goes well."""
        started = time.monotonic()
        came = self.scene.keep_trying(act, seconds=MAX_RECOVERY)
        self.recovery_seconds = max(time.monotonic() - started, self.recovery_seconds or 0)
        return came

    def all_go_on(self, *, within: float = MAX_RECOVERY) -> None:
        """Measure how long it takes until every task has another row done, or is over."""
        before, started = self.standing(), time.monotonic()
        self.wait_for(
            lambda: all(
                now != then or now[2] for now, then in zip(self.standing(), before, strict=True)
            ),
            within,
        )
        seconds = time.monotonic() - started
        self.recovery_seconds = max(seconds, self.recovery_seconds or 0)

    def end(self) -> None:
        """Wait until all tasks are over; raise when for a while nothing moves."""
        still, moved_at = self.standing(), time.monotonic()
        while not self.is_over():
            now = self.standing()
            if now != still:
                still, moved_at = now, time.monotonic()
            if time.monotonic() - moved_at > MAX_STILL:
                raise AssertionError(f"nothing has moved for {MAX_STILL} s: {now}")
            time.sleep(0.1)

    def wait_for(self, question: Callable[[], bool], seconds: float) -> None:
        """Wait until something holds; raise with how the tasks stand when it does not in time."""
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:.0f} s: now {self.standing()}")
            time.sleep(0.05)
