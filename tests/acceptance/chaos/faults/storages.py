"""What if the storage refuses, is overloaded, slow, silent, full, read-only or not mounted?"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.acceptance.chaos import breakages_of_files  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.disks import SmallDisk
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.web import count_tasks
from tests.acceptance.chaos.links import Link
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS
from tests.acceptance.chaos.work import MAX_RECOVERY, Line, Work, content_of, make_lines

FILES_ON_DISK = (RABBITMQ, EMBEDDED)
SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
FULL_OR_AWAY = {503, 507}  # docs/spec/decisions.md §9
ROWS_SECONDS = 60
WORKER_PROCESSES = 4  # two workers with two each


def link_of(work: Work) -> Link:
    """Return the link to the object storage."""
    assert work.scene.storage_link
    return work.scene.storage_link


def assert_refused(work: Work, lines: list[Line] | None = None) -> None:
    """Upload something and see that it is refused as documented, and leaves no task."""
    client = work.scene.client
    scene = work.scene  # its own connection finds no room on a full disk before the product's do
    before = scene.keep_trying(lambda: count_tasks(scene), seconds=60)
    answer = client.session.put(
        client.tasks,
        params={"category": "chaos", "action": "write"},
        data=content_of(lines or make_lines(work.random, 1_000, {})),
        headers={"Content-Type": "text/csv"},
        timeout=120,
    )
    said = f"an upload was answered with {answer.status_code}: {answer.text[:300]}"
    assert answer.status_code in FULL_OR_AWAY, said
    assert answer.json()["error"] == str(answer.status_code), said
    assert int(answer.headers["Retry-After"]) > 0, said
    after = scene.keep_trying(lambda: count_tasks(scene), seconds=60)
    assert after <= before, "a refused upload has left a task"


def assert_none_is_final_too_early(work: Work) -> None:
    """See that every task that has ended can show its output."""
    for sent in work.sent:
        task = work.scene.client.get(sent.task_id)
        is_waiting = task["status"] in {"executing", "stopped"}
        assert is_waiting or "out.csv" in task["csvs"], f"final without an output: {task}"


def assert_some_wait(work: Work) -> None:
    """See that tasks without any row left still run, as their output cannot be written."""
    rows = sum(len(sent.lines) or sent.page_rows for sent in work.sent)
    work.wait_for(lambda: work.done_rows() == rows, ROWS_SECONDS)
    time.sleep(work.random.uniform(1.0, 3.0))
    assert_none_is_final_too_early(work)
    assert not work.is_over(), "all outputs were written although that was impossible"


# ---- Object storage ------------------------------------------------------------------------------


@fault(
    "the object storage refuses connections while rows run and while a file is uploaded",
    outcome="uploads get 503; tasks stay `executing` and continue by themselves",
    on=(REDIS,),
    broken_by="outage-ends-tasks",
)
def storage_refusing(work: Work) -> None:
    """Refuse everybody for some seconds, twice."""
    work.begin("write", "spread", "each", "read")
    for _ in range(2):
        work.get_going(0.05, 0.5)
        link_of(work).refuse()
        assert_refused(work)
        time.sleep(work.random.uniform(0.0, 3.0))
        assert_none_is_final_too_early(work)
        link_of(work).heal()
        work.go_on()
        work.start(work.recover(lambda: work.upload("write", 100)))


@fault(
    "the object storage refuses requests while an output is being written to it",
    outcome="the task stays `executing` until its output is stored, then ends by itself",
    on=(REDIS,),
    broken_by="finish-before-upload",
)
def storage_refusing_at_assembly(work: Work) -> None:
    """Slow the storage down to hit the moment, then refuse."""
    work.scene.set_pace(0.0005)
    for action in ("write", "read"):
        work.start(work.send(action, make_lines(work.random, 3_000, {}, width=1_000)))
    work.get_going(0.85, 0.95)
    link_of(work).bytes_per_second = 600_000
    work.wait_for(lambda: any(claim for *_, claim in work.standing()), ROWS_SECONDS)
    time.sleep(work.random.uniform(0.0, 2.0))
    link_of(work).refuse()
    time.sleep(work.random.uniform(1.0, 4.0))
    assert_none_is_final_too_early(work)
    link_of(work).heal()
    work.go_on()


@contextlib.contextmanager
def overloaded_storage() -> Iterator[tuple[str, int]]:
    """Yield the address of an object storage that asks everybody to come back later."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(503, "Slow Down")
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(SLOW_DOWN)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(SLOW_DOWN)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = refuse  # noqa: N815

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield "127.0.0.1", server.server_port
    finally:
        server.shutdown()
        server.server_close()


@fault(
    "the object storage answers `503 SlowDown` for a while",
    outcome="uploads get 503; tasks stay `executing` and continue by themselves",
    on=(REDIS,),
    broken_by="outage-ends-tasks",
)
def storage_overloaded(work: Work) -> None:
    """Let another server answer, which is never ready."""
    link = link_of(work)
    work.begin("write", "spread", "each", "read")
    work.get_going()
    usual = link.target
    with overloaded_storage() as address:
        link.target = address
        link.cut()
        try:
            assert_refused(work)
            time.sleep(work.random.uniform(1.0, 5.0))
            assert_none_is_final_too_early(work)
        finally:
            link.target = usual
            link.cut()
    work.go_on()
    work.start(work.recover(lambda: work.upload("write", 100)))


@fault(
    "the object storage is so slow that the claim on an output would expire several times",
    outcome="the writer keeps its claim; the task ends when its output is stored",
    on=(REDIS,),
    broken_by="claim-not-renewed",
)
def storage_slow(work: Work) -> None:
    """Let each MiB take more than a second."""
    work.scene.set_pace(0.0005)
    work.start(work.send("write", make_lines(work.random, 3_000, {}, width=3_000)))
    work.get_going(0.9, 0.95)
    link_of(work).bytes_per_second = 700_000
    work.wait_for(work.is_over, ROWS_SECONDS)
    slow = work.send("read", make_lines(work.random, 1_000, {}, width=3_000))
    link_of(work).heal()
    work.start(slow)
    work.go_on()


@fault(
    "the object storage stops in the middle of its answers, and those connections stay silent",
    outcome="other requests are answered; work continues after the time-outs",
    on=(REDIS,),
    broken_by="no-time-outs",
)
def storage_silent(work: Work) -> None:
    """Swallow everything until every process of the workers waits."""
    link = link_of(work)
    work.begin("write", "spread", "each", "read", "read", "write", rows=5_000)
    work.get_going(0.05, 0.1)
    link.silence()
    work.wait_for(lambda: link.silenced >= WORKER_PROCESSES, ROWS_SECONDS)
    time.sleep(work.random.uniform(0.0, 3.0))
    assert_none_is_final_too_early(work)
    link.is_silent = False  # for new connections only
    work.all_go_on(within=2 * MAX_RECOVERY)


# ---- A folder on a disk --------------------------------------------------------------------------


@fault(
    "the disk is full when a file is uploaded",
    outcome="507 in the envelope; nothing is left of it; uploads that still fit are accepted",
    on=FILES_ON_DISK,
    broken_by="refused-uploads-stay",
)
def disk_full_at_upload(work: Work) -> None:
    """Upload more than fits, then something that does."""
    SmallDisk(work.scene, 14)
    work.begin("write", "spread")
    work.get_going()
    for _ in range(2):
        assert_refused(work, make_lines(work.random, 4_000, {}, width=5_000))
    work.scene.set_pace(0.0005)
    work.start(work.send("read", make_lines(work.random, 3_000, {}, width=1_000)))
    work.go_on()


@fault(
    "the disk is full when outputs are written",
    outcome="the tasks stay `executing` until there is room, then end by themselves",
    on=FILES_ON_DISK,
    broken_by="finish-before-upload",
)
def disk_full_at_assembly(work: Work) -> None:
    """Fill the disk while rows are worked on, and make room when all are done."""
    disk = SmallDisk(work.scene, 8)
    work.begin("write", "spread", "each", "read")
    work.begin_pages()
    work.get_going(0.3, 0.7)
    disk.fill()
    assert_refused(work)
    assert_some_wait(work)
    disk.heal()
    work.go_on()


@fault(
    "the folder of files cannot be written to",
    outcome="uploads get 503; rows run and files are read; outputs are written afterwards",
    on=FILES_ON_DISK,
    broken_by="finish-before-upload",
)
def storage_read_only(work: Work) -> None:
    """Forbid writing while rows are worked on."""
    disk = SmallDisk(work.scene, 8)
    work.begin("write", "spread", "each", "read")
    work.get_going(0.1, 0.5)
    work.scene.keep_trying(disk.protect, seconds=10)  # refused while a file is being written
    assert_refused(work)
    for sent in work.sent:
        assert work.scene.client.download(sent.task_id, "in.csv") == sent.content
    assert_some_wait(work)
    disk.heal()
    work.go_on()


@fault(
    "the disk of the files is not mounted for a while: an empty folder is in its place",
    outcome="no file counts as missing: uploads and downloads get 503, tasks stay `executing`"
    " and continue by themselves; nothing is stored in its place",
    on=FILES_ON_DISK,
    broken_by="mount-not-looked-at",
)
def disk_not_mounted(work: Work) -> None:
    """Put an empty folder in the place of the files."""
    client, place = work.scene.client, work.scene.files_folder
    work.scene.set_pace(0.01)
    begun = work.begin("write", "spread", "each", "read", rows=300)
    work.get_going(0.05, 0.1)
    away = place.with_name("files-away")
    place.rename(away)
    place.mkdir(mode=0o700)
    try:
        assert_refused(work)
        answer = client.session.get(f"{client.tasks}/{begun[0].task_id}/input", timeout=60)
        assert answer.status_code == 503, f"{answer.status_code}: {answer.text[:300]}"
        time.sleep(work.random.uniform(3.0, 8.0))
        for sent in begun:
            assert client.get(sent.task_id)["status"] == "executing", client.get(sent.task_id)
        assert not list(place.iterdir()), "something was stored in the place of the disk"
    finally:
        shutil.rmtree(place)
        away.rename(place)
    work.go_on()
    work.start(work.recover(lambda: work.upload("write", 100)))
