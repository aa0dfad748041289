"""What if clients are greedy or slow, do not listen, or lose their rights half-way?"""

from __future__ import annotations

import contextlib
import select
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from tests.acceptance.chaos import breakages_of_clients  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.web import (
    EVERYWHERE,
    PATIENCE_SECONDS,
    WIDE,
    begin_uploads,
    count_tasks,
    stored_inputs,
)
from tests.acceptance.chaos.scene import Scene
from tests.acceptance.chaos.transfers import Download, Upload
from tests.acceptance.chaos.work import Work, content_of, make_lines
from tests.acceptance.installation import Client
from tests.servers import wait_until

REVOKE = "UPDATE accounts_apikey SET revoked_at = CURRENT_TIMESTAMP WHERE account_id = %s"
REFUSED_BYTES = 100 * 10**6
STEADY_BYTES = 39_000  # a second
STEADY_SECONDS = 75  # until the second time that a third of a buffer of 4 MB has to be free


@fault(
    "an API key is revoked while its upload arrives",
    outcome="the upload is answered 401 and leaves nothing",
    on=EVERYWHERE,
    broken_by="rights-not-confirmed",
)
def key_revoked_in_mid_upload(work: Work) -> None:
    """Revoke the key of an account of its own."""
    scene = work.scene
    work.begin("write", "spread", rows=300)
    before = count_tasks(scene), stored_inputs(scene)
    content = content_of(make_lines(work.random, 3_000, {}, width=1_000))
    client = Client(scene.installation)
    (upload,) = begin_uploads(work, content, 1, client=client)
    scene.execute(REVOKE, client.account_id)
    status, body = upload.finish()
    assert (status, body.get("message")) == (401, "invalid_credentials"), f"it got {status}: {body}"
    assert (count_tasks(scene), stored_inputs(scene)) == before, "it has left something"


@fault(
    "an account and its child begin as many uploads as they can, and then send nothing",
    outcome="uploads of another account, and of another child, are taken at once",
    on=EVERYWHERE,
    broken_by="places-for-whoever-comes",
)
def all_places_wanted(work: Work) -> None:
    """Begin until the server refuses; then let others try."""
    scene = work.scene
    work.begin("write", "spread", rows=300)
    parent = Client(scene.installation)
    child, other_child = (
        Client(scene.installation, "--parent", parent.account_id) for _ in range(2)
    )
    stranger = Client(scene.installation)
    lines = make_lines(work.random, 100, {}, width=1_000)
    with held_uploads(scene, [parent, child], content_of(lines)) as count:
        work.remarks.append(f"{count} places were held")
        for client in (stranger, other_child):
            client.upload(content_of(lines), category="chaos", action="write")
    wait_until(lambda: not unfinished_count(scene), seconds=PATIENCE_SECONDS)


@contextlib.contextmanager
def held_uploads(scene: Scene, clients: list[Client], content: bytes) -> Iterator[int]:
    """Let each client begin more uploads than there are threads; yield how many are under way."""
    uploads = [Upload(client, "write", content) for client in clients for _ in range(33)]
    try:
        for upload in uploads:
            upload.send_up_to(20_000)
        wait_until(
            lambda: answered_count(uploads) + unfinished_count(scene) >= len(uploads),
            seconds=PATIENCE_SECONDS,
        )
        yield unfinished_count(scene)
    finally:
        for upload in uploads:
            upload.connection.close()


def answered_count(uploads: list[Upload]) -> int:
    """Return how many uploads have been answered: these are refused."""
    sockets = [upload.connection.sock for upload in uploads]
    return len(select.select(sockets, [], [], 0)[0])


def unfinished_count(scene: Scene) -> int:
    """Return how many files are being uploaded."""
    question = "SELECT count(*) FROM tasks_app_taskcsv WHERE task_id IS NULL"
    return int(scene.execute(question)[0][0])


@fault(
    "a client sends 100 MB before it reads why its first line was refused",
    outcome="it gets the reason, each time",
    on=EVERYWHERE,
    broken_by="lingering-by-bytes",
)
def refused_but_not_listening(work: Work) -> None:
    """Send with Python's urllib, which writes everything first."""
    client = work.scene.client
    work.begin("write", "spread", rows=300)
    before = count_tasks(work.scene)
    row = b"r0000000,a note,\n"
    content = b"name,wef\n" + row * (REFUSED_BYTES // len(row))
    url = f"{client.tasks}?category=chaos&action=write"
    headers = {"X-Auth-Token": str(client.session.headers["X-Auth-Token"])}
    headers["Content-Type"] = "text/csv"
    for _ in range(5):
        reason = send_blindly(urllib.request.Request(url, content, headers, method="PUT"))
        assert b"Empty CSV" in reason, f"no reason came, but {reason!r}"
    assert count_tasks(work.scene) == before, "refused uploads have left tasks"


def send_blindly(request: urllib.request.Request) -> bytes:
    """Return what came of a request that is refused."""
    try:
        urllib.request.urlopen(request, timeout=PATIENCE_SECONDS)
    except urllib.error.HTTPError as answer:
        return answer.read()
    except urllib.error.URLError as error:
        return str(error).encode()
    return b"a success"


@fault(
    "a client downloads at a steady 39 KB/s through the large buffers of both kernels",
    outcome="it gets the file, to the byte",
    on=EVERYWHERE,
    broken_by="buffers-count-as-taken",
)
def steady_reader(work: Work) -> None:
    """Read slowly for longer than a client may take nothing, then the rest."""
    client = work.scene.client
    work.begin("write", "spread", rows=300)
    content = content_of(make_lines(work.random, 4_000, {}, width=WIDE))
    task_id = client.upload(content, category="chaos", action="write")
    download = Download(client, task_id, "in.csv", receive_bytes=0)
    began = time.monotonic()
    for second in range(STEADY_SECONDS):
        download.read_up_to(second * STEADY_BYTES)
        time.sleep(max(0.0, began + second - time.monotonic()))
    assert download.read_rest(), f"it was cut off after {len(download.content)} bytes"
    assert download.content == content, "other bytes came"
    client.call("DELETE", task_id)
