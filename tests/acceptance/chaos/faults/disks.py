"""What if the disk of a whole installation is full: database, messages and files?"""

from __future__ import annotations

import re
import time

import requests

from tests.acceptance.chaos import breakages_of_files  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.disks import SmallDataDisk
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.storages import ROWS_SECONDS, assert_refused
from tests.acceptance.chaos.scene import EMBEDDED
from tests.acceptance.chaos.work import Work, content_of, make_lines

STAFF, PASSWORD = "chaos", "known to everybody: only for tests"
MAKE_STAFF = (
    "from django.contrib.auth.models import User;"
    f"User.objects.filter(username={STAFF!r}) or"
    f" User.objects.create_superuser({STAFF!r}, password={PASSWORD!r})"
)
ROWS = 200
STILL_SECONDS = 8  # without a row: more than a slice, a lost turn and a sweep take


class People:
    """Somebody who has a task, and somebody of the staff; they act while the disk is full."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.client = work.scene.client
        work.scene.installation.manage("shell", "-c", MAKE_STAFF)
        self.task_ids = [self.upload(500, width=0) for _ in range(2)]

    def upload(self, rows: int, *, width: int) -> str:
        """Create a task that nobody starts, and that is deleted before the end."""
        content = content_of(make_lines(self.work.random, rows, {}, width=width))
        return self.client.upload(content, category="chaos", action="read")

    def assert_they_can_act(self) -> None:
        """Sign in, to the admin too; start, stop and delete a task."""
        self.client.sign_in()
        self.assert_staff_can_sign_in()
        task_id = self.task_ids.pop()
        started = self.client.call("PATCH", task_id)
        assert started["status"] == "executing", started
        self.client.call("PATCH", f"{task_id}/stop")
        self.delete(task_id)

    def delete(self, task_id: str) -> None:
        """Delete a task."""
        self.client.call("DELETE", task_id)

    def assert_staff_can_sign_in(self) -> None:
        """Sign in to the admin, which writes a session."""
        session = requests.Session()
        address = f"{self.work.scene.installation.url}/admin/login/"
        form = session.get(address, timeout=60)
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', form.text)
        assert token, form.text[:300]
        said = {"username": STAFF, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        answer = session.post(
            f"{address}?next=/admin/tasks_app/task/",
            data=said,
            headers={"Referer": address},
            timeout=60,
        )
        assert answer.url.endswith("/admin/tasks_app/task/"), (answer.status_code, answer.url)
        assert answer.status_code == 200, answer.text[:300]

    def leave(self) -> None:
        """Delete what is left."""
        for task_id in self.task_ids:
            self.delete(task_id)


@fault(
    "the disk with database, messages and files is too small for an upload",
    outcome="507 with the reason, and nothing is left of it; people can sign in, start, stop,"
    " delete",
    on=(EMBEDDED,),
    broken_by="no-reserve",
)
def data_disk_full_at_upload(work: Work) -> None:
    """Upload more than fits, twice, then something that does."""
    disk = SmallDataDisk(work.scene, 40)
    people = People(work)
    work.begin("write", "spread", rows=ROWS)
    work.get_going(0.02, 0.3)
    too_many = disk.size_bytes // 50_000
    for _ in range(2):
        assert_refused(work, make_lines(work.random, too_many, {}, width=50_000))
        people.assert_they_can_act()
    work.start(work.send("read", make_lines(work.random, 300, {}, width=10_000)))
    work.go_on()


@fault(
    "the disk with database, messages and files is filled by another program",
    outcome="uploads get 507, rows wait; people can sign in, start, stop, delete; then tasks"
    " continue",
    on=(EMBEDDED,),
    broken_by="no-reserve",
)
def data_disk_filled(work: Work) -> None:
    """Fill the disk to the last byte while rows are worked on."""
    disk = SmallDataDisk(work.scene, 40)
    people = People(work)
    work.begin("write", "spread", "read", rows=ROWS)
    work.get_going(0.02, 0.3)
    for _ in range(2):
        disk.fill()
        people.assert_they_can_act()
    disk.fill()  # what the sweeper found in SQLite's log
    assert_refused(work)
    wait_until_still(work)
    disk.heal()
    work.all_go_on()


@fault(
    "the disk with database, messages and files is filled by the output of rows",
    outcome="rows and outputs wait; people can act; tasks continue in the room of a deleted one",
    on=(EMBEDDED,),
    broken_by="no-reserve",
)
def data_disk_full_of_output(work: Work) -> None:
    """Run more than fits, and delete a task with a large input."""
    SmallDataDisk(work.scene, 46)
    people = People(work)
    spare = people.upload(300, width=50_000)
    work.scene.set_pace(0)
    for action in ("read", "write"):
        work.start(work.send(action, make_lines(work.random, 200, {}, width=25_000)))
    wait_until_still(work)
    people.assert_they_can_act()
    people.delete(spare)
    people.leave()
    work.go_on()


@fault(
    "everything is started while the disk with database, messages and files is full",
    outcome="it starts; people can sign in, start, stop, delete; rows continue once there is room",
    on=(EMBEDDED,),
    broken_by="no-reserve",
)
def started_on_full_disk(work: Work) -> None:
    """Kill everything, fill the disk, start."""
    disk = SmallDataDisk(work.scene, 40)
    people = People(work)
    work.begin("write", "spread", "read", rows=ROWS)
    work.get_going(0.02, 0.3)
    work.scene.kill(*work.scene.installation.processes)
    disk.fill()
    work.scene.restore()
    people.assert_they_can_act()
    disk.fill()  # what the sweeper found in SQLite's log
    assert_refused(work)
    people.leave()
    disk.heal()
    work.all_go_on()


def wait_until_still(work: Work) -> None:
    """Wait until no row has been done for a while; raise when all tasks are over."""
    still, since = work.done_rows(), time.monotonic()
    deadline = since + 5 * ROWS_SECONDS
    while time.monotonic() - since < STILL_SECONDS:
        now = work.done_rows()
        if now != still:
            still, since = now, time.monotonic()
        assert not work.is_over(), "everything fitted"
        assert time.monotonic() < deadline, f"rows are still being done: {now}"
        time.sleep(0.2)
