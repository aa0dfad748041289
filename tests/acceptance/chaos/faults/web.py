"""What if the web server dies or stops while somebody uploads or downloads?"""

from __future__ import annotations

import os
import signal
import time

from tests.acceptance.chaos import breakages_of_files  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, WORKERS, Scene
from tests.acceptance.chaos.transfers import Download, Upload
from tests.acceptance.chaos.work import Line, Sent, Work, content_of, make_lines
from tests.acceptance.installation import Client
from tests.servers import family, wait_until

EVERYWHERE = (RABBITMQ, REDIS, EMBEDDED)
WIDE = 4_000  # bytes of a row: files become larger than what waits in sockets and in memory
PATIENCE_SECONDS = 60


def count_tasks(scene: Scene) -> int:
    """Return how many tasks there are."""
    return int(scene.execute("SELECT count(*) FROM tasks_app_task")[0][0])


def stored_inputs(scene: Scene) -> set[str]:
    """Return the names of the inputs in storage, unfinished ones too where it shows them."""
    return {name for name in scene.stored_files() if name.endswith("in.csv")}


def begin_uploads(
    work: Work, content: bytes, count: int, *, client: Client | None = None
) -> list[Upload]:
    """Send random shares of an upload, several times over, and wait until they have arrived."""
    scene = work.scene
    before = stored_inputs(scene)
    uploads = [Upload(client or scene.client, "write", content) for _ in range(count)]
    for upload in uploads:
        upload.send_up_to(work.random.randrange(1, len(content)))
    if scene.kind == REDIS:  # shows a file only when it is complete
        time.sleep(work.random.uniform(0.2, 1.0))
    else:
        wait_until(lambda: len(stored_inputs(scene) - before) >= count, seconds=PATIENCE_SECONDS)
    return uploads


def upload_again(work: Work, lines: list[Line]) -> None:
    """Send the same upload as soon as that is possible, and start the task."""
    work.start(work.recover(lambda: work.send("write", lines)))


@fault(
    "the web server is killed (`SIGKILL`) while files are being uploaded",
    outcome="the connections break; no task and no file is left; the same upload works again",
    on=EVERYWHERE,
    broken_by="no-file-record",
)
def web_killed_in_mid_upload(work: Work) -> None:
    """Kill it when random shares of some uploads have arrived."""
    scene = work.scene
    work.begin("write", "spread")
    lines = make_lines(work.random, 3_000, {}, width=1_000)
    content = content_of(lines)
    before = count_tasks(scene)
    uploads = begin_uploads(work, content, 4)
    scene.kill("web")
    answers = [upload.read_answer() for upload in uploads]
    scene.start("web")
    upload_again(work, lines)
    assert answers == [(0, {})] * 4, f"a server that was killed has answered: {answers}"
    assert count_tasks(scene) == before + 1, "broken uploads have left tasks"


@fault(
    "one of two web processes is killed (`SIGKILL`) while files are being uploaded",
    outcome="its connections break and leave nothing; the other process keeps serving",
    on=EVERYWHERE,
    broken_by="task-before-file",
)
def web_process_killed(work: Work) -> None:
    """Kill either process until some uploads have been hit."""
    scene = work.scene
    scene.stop("web")
    scene.start("web", PISTON_WEB_PROCESSES="2")
    wait_until(scene.installation.answers, seconds=PATIENCE_SECONDS)
    work.begin("write", "spread")
    lines = make_lines(work.random, 300, {}, width=1_000)
    content = content_of(lines)
    before = count_tasks(scene)
    came: list[int] = []
    while came.count(0) < 3 and len(came) < 60:
        uploads = begin_uploads(work, content, 6)
        children = family(scene.installation.processes["web"].pid)[1:]
        os.kill(work.random.choice(children), signal.SIGKILL)
        work.recover(lambda: assert_answers(scene))
        for upload in uploads:
            status, body = upload.finish()
            came.append(status)
            if status == 201:
                work.start(work.adopt("write", lines, body["data"]["_read_only"]["id"]))
    assert set(came) <= {0, 201}, f"uploads were answered with {came}"
    assert count_tasks(scene) == before + came.count(201), "broken uploads have left tasks"
    work.remarks.append(f"{came.count(0)} of {len(came)} uploads broke")


def assert_answers(scene: Scene) -> None:
    """Raise when the web server does not serve."""
    assert scene.installation.answers()


@fault(
    "the web server is stopped (`SIGTERM`) while files are being uploaded",
    outcome="uploads that are complete within 5 s are taken; the others get 503 in the envelope"
    " and leave nothing",
    on=EVERYWHERE,
    broken_by="uploads-not-cut",
)
def web_stopped_in_mid_upload(work: Work) -> None:
    """Let two uploads go on and two stall."""
    scene = work.scene
    work.begin("write", "spread")
    lines = make_lines(work.random, 3_000, {}, width=1_000)
    content = content_of(lines)
    before = count_tasks(scene)
    brisk = begin_uploads(work, content, 2)
    stalled = begin_uploads(work, content, 2)
    scene.installation.processes["web"].terminate()
    time.sleep(work.random.uniform(0.0, 2.0))
    went_on = [upload.finish() for upload in brisk]
    stood_still = [upload.read_answer() for upload in stalled]
    scene.installation.processes["web"].wait(PATIENCE_SECONDS)
    scene.start("web")
    upload_again(work, lines)
    for status, body in went_on:
        assert status == 201, f"an upload that went on was answered with {status}: {body}"
        work.start(work.adopt("write", lines, body["data"]["_read_only"]["id"]))
    for status, body in stood_still:
        assert (status, body.get("error")) == (503, "503"), f"a stalled one got {status}: {body}"
    assert count_tasks(scene) == before + 3, "broken uploads have left tasks"


@fault(
    "the web server is killed (`SIGKILL`) while files are being downloaded",
    outcome="`Range` gets the rest, to the byte: of a file, of a stopped task's output that"
    " is not assembled yet, and of one that was assembled meanwhile",
    on=EVERYWHERE,
    broken_by="ranges-off",
)
def web_killed_in_mid_download(work: Work) -> None:
    """Kill it when random shares of two outputs have arrived."""
    scene = work.scene
    ended = begin_wide(work)
    work.end()
    stopped = begin_wide(work)
    work.get_going(0.85, 0.95)
    scene.kill(*WORKERS)
    stop(work, stopped)
    downloads = [Download(scene.client, sent.task_id, "out.csv") for sent in (ended, stopped)]
    for download in downloads:
        download.read_up_to(int(download.length * work.random.uniform(0.05, 0.3)))
    scene.kill("web")
    is_whole = [download.read_rest() for download in downloads]
    assert not any(is_whole), "nothing broke"
    scene.start("web")
    resumed = [
        work.recover(lambda each=each: resume(scene, *each))
        for each in zip((ended, stopped), downloads, strict=True)
    ]
    assert resumed[0].read_rest()
    resumed[1].read_up_to(resumed[1].length // 2)
    resumed[1].connection.close()
    for name in WORKERS:
        scene.start(name)
    work.end()
    begun = downloads[1].content + resumed[1].content
    rest = Download(scene.client, stopped.task_id, "out.csv", start=len(begun))
    assert rest.read_rest()
    for sent, content in (
        (ended, downloads[0].content + resumed[0].content),
        (stopped, begun + rest.content),
    ):
        whole = scene.client.download(sent.task_id, "out.csv")
        assert content == whole, f"{len(content)} bytes came in pieces, not {len(whole)} the same"


def begin_wide(work: Work, rows: int = 3_000) -> Sent:
    """Begin a task with a large output."""
    work.scene.set_pace(0.0005)
    return work.start(work.send("write", make_lines(work.random, rows, {}, width=WIDE)))


def stop(work: Work, sent: Sent) -> dict[str, int]:
    """Stop a task and return the counts of the answer."""
    answer = work.scene.client.call("PATCH", f"{sent.task_id}/stop")
    sent.is_stopped = True
    return {name: answer[name] for name in ("success_count", "failure_count")}


def resume(scene: Scene, sent: Sent, download: Download) -> Download:
    """Ask for the rest of a download that broke; of the same file only."""
    place = len(download.content)
    resumed = Download(scene.client, sent.task_id, "out.csv", start=place, etag=download.etag)
    assert resumed.status == 206, f"resuming was answered with {resumed.status}"
    return resumed


@fault(
    "a stopped task's output is assembled, and its parts are deleted, while a client downloads it",
    outcome="the download continues, to the byte",
    on=EVERYWHERE,
    broken_by="parts-only",
)
def assembled_in_mid_download(work: Work) -> None:
    """Let the download wait until the output is assembled."""
    scene = work.scene
    sent = begin_wide(work, rows=8_000)  # more than the server reads ahead, and sockets hold
    work.get_going(0.85, 0.95)
    scene.kill(*WORKERS)
    stop(work, sent)
    download = Download(scene.client, sent.task_id, "out.csv")
    download.read_up_to(int(download.length * work.random.uniform(0.02, 0.2)))
    for name in WORKERS:
        scene.start(name)
    work.end()
    assert download.read_rest(), f"it broke after {len(download.content)} bytes"
    assert download.content == scene.client.download(sent.task_id, "out.csv"), "other bytes came"
