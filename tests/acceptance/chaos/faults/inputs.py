"""What if an input is altered in storage while its rows are worked on?"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.acceptance.chaos import breakages_of_files  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.web import EVERYWHERE
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, Scene, open_bucket
from tests.acceptance.chaos.work import Sent, Work, make_lines

MAX_SECONDS = 60  # until the task has ended
WIDE = 800  # bytes of a row: the input has several blocks
OFFERED = "rows done before it stay in `out.csv`; `in.csv` and `unprocessed.csv` are not offered"
EMBEDDED_FIRST = (EMBEDDED, REDIS, RABBITMQ)


class StoredInput:
    """The input of a task as it lies in a folder or in a bucket."""

    def __init__(self, scene: Scene, sent: Sent) -> None:
        self.scene = scene
        self.sent = sent
        ((self.key,),) = scene.execute(
            "SELECT key FROM tasks_app_taskcsv WHERE task_id = %s AND name = 'in.csv'", sent.task_id
        )

    @property
    def path(self) -> Path:
        """Where it is, in a folder."""
        return self.scene.files_folder / self.key

    @property
    def stored_object(self) -> Any:
        """What it is, in a bucket."""
        return open_bucket(self.scene.s3).Object(self.key)

    def alter(self, change: Callable[[bytes], bytes]) -> None:
        """Change its bytes where they are; in a folder its times stay as they were."""
        self.sent.is_input_lost = True
        if self.scene.s3:
            self.stored_object.put(Body=change(self.stored_object.get()["Body"].read()))
            return
        before = self.path.stat()
        content = change(self.path.read_bytes())
        with self.path.open("r+b") as file:
            file.write(content)
            file.truncate()
        os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def replace(self, content: bytes) -> None:
        """Put another file in its place."""
        if self.scene.s3:
            self.alter(lambda _: content)
            return
        self.sent.is_input_lost = True
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(content)
        fresh.replace(self.path)

    def take_away(self) -> bytes:
        """Delete it for a while; return its bytes."""
        if self.scene.s3:
            content: bytes = self.stored_object.get()["Body"].read()
            self.stored_object.delete()
            return content
        content = self.path.read_bytes()
        self.path.unlink()
        return content

    def put_back(self, content: bytes) -> None:
        """Put it back in its place."""
        if self.scene.s3:
            self.stored_object.put(Body=content)
        else:
            self.path.write_bytes(content)

    def delete(self) -> None:
        """Delete it."""
        self.sent.is_input_lost = True
        self.scene.lost_files.add(self.key)
        if self.scene.s3:
            self.stored_object.delete()
        else:
            self.path.unlink()


def begin(work: Work) -> list[StoredInput]:
    """Start tasks whose inputs have several blocks; return the inputs a while later."""
    work.begin("read", rows=10)  # its files stay: otherwise the bucket might be another one
    begun = [
        work.start(work.send(action, make_lines(work.random, 3_000, {}, width=WIDE)))
        for action in ("write", "read")
    ]
    work.get_going(0.2, 0.4)
    return [StoredInput(work.scene, sent) for sent in begun]


def see_end(work: Work) -> None:
    """See that the tasks end in time."""
    work.wait_for(work.is_over, MAX_SECONDS)


def rename_row(index: int) -> Callable[[bytes], bytes]:
    """Return a change of one letter: another row, and as many bytes."""
    return lambda content: content.replace(b"\nr%07d," % index, b"\nx%07d," % index)


@fault(
    "an input is cut off in storage while its rows are worked on",
    outcome=f"the task ends `internal_error` within a minute and names the rows; {OFFERED}",
    on=EMBEDDED_FIRST,
    broken_by="lost-inputs-are-tried-again",
)
def input_truncated(work: Work) -> None:
    """Keep half of it."""
    for stored in begin(work):
        stored.alter(lambda content: content[: len(content) // 2])
    see_end(work)


@fault(
    "bytes of an input are edited in storage, ahead of the rows that are worked on",
    outcome=f"none of the edited rows is run: the task ends `internal_error`; {OFFERED}",
    on=EMBEDDED_FIRST,
    broken_by="inputs-not-verified",
)
def input_edited_ahead(work: Work) -> None:
    """Give one of the last rows another name, with the same number of bytes and the old times."""
    for stored in begin(work):
        stored.alter(rename_row(work.random.randrange(2_000, 3_000)))
    see_end(work)


@fault(
    "bytes of an input are edited in storage, of rows that were done already",
    outcome="all rows are done and in `out.csv`; the task ends `internal_error` all the same",
    on=EMBEDDED_FIRST,
    broken_by="inputs-not-verified-at-the-end",
)
def input_edited_behind(work: Work) -> None:
    """Give the first row another name, after its block was left behind."""
    for stored in begin(work):
        stored.alter(rename_row(0))
    see_end(work)


@fault(
    "an input is replaced in storage by another file of the same size",
    outcome=f"none of its rows is run: the task ends `internal_error`; {OFFERED}",
    on=EVERYWHERE,
    broken_by="inputs-not-verified",
)
def input_replaced(work: Work) -> None:
    """Give all rows other names."""
    for stored in begin(work):
        stored.replace(stored.sent.content.replace(b"\nr", b"\nx"))
    see_end(work)


@fault(
    "an input is deleted from storage while its rows are worked on",
    outcome=f"the task ends `internal_error` within a minute and names the rows; {OFFERED}",
    on=EMBEDDED_FIRST,
    broken_by="lost-inputs-are-tried-again",
)
def input_deleted(work: Work) -> None:
    """Delete it."""
    for stored in begin(work):
        stored.delete()
    see_end(work)
