"""Can staff settle what nobody knows? Workers killed in mid-call, then a person in the admin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import requests

from tests.acceptance.chaos.faults.externals import kill_in_flight
from tests.acceptance.chaos.scene import EMBEDDED, Scene, Servers
from tests.acceptance.chaos.work import Work
from tests.acceptance.installation import Installation
from tests.servers import wait_until

pytestmark = pytest.mark.acceptance
DECISIONS = ("done", "not_done", "send_again")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Servers() as servers, Scene(EMBEDDED, tmp_path / "scene", servers) as scene:
        yield scene


class Staff:
    """A superuser with a browser."""

    def __init__(self, installation: Installation) -> None:
        make = "from django.contrib.auth.models import User; User.objects.create_superuser"
        installation.manage("shell", "--command", f"{make}('anna', password='only-for-tests')")
        self.url = f"{installation.url}/admin"
        self.session = requests.Session()
        self.page("/login/")
        self.press("/login/", username="anna", password="only-for-tests", next="/admin/")

    def page(self, path: str) -> str:
        """Look at a page."""
        answer = self.session.get(self.url + path, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.text

    def press(self, path: str, **fields: str) -> str:
        """Send a form."""
        token = self.session.cookies["csrftoken"]
        answer = self.session.post(
            self.url + path, data={"csrfmiddlewaretoken": token, **fields}, timeout=30
        )
        assert answer.status_code == 200, answer.text
        return answer.text


def test_staff_settle_the_rows_that_were_outside_when_workers_died(scene: Scene) -> None:
    work = Work(scene, Random("settling"))
    sent = kill_in_flight(work, "call")
    work.end()
    before = scene.client.get(sent.task_id)
    rows = scene.execute(
        "SELECT id, row_number FROM tasks_app_effect"
        " WHERE task_id = %s AND state = 'indeterminate' ORDER BY row_number",
        sent.task_id,
    )
    staff = Staff(scene.installation)

    shown = staff.page(f"/tasks_app/task/{sent.task_id}/change/")
    for decision, (effect_id, _) in zip(DECISIONS, rows, strict=True):
        form = {"task": sent.task_id, "decision": decision, "effect": str(effect_id)}
        asked = staff.press("/tasks_app/effect/settle/", **form)
        assert 'name="confirmed"' in asked
        staff.press("/tasks_app/effect/settle/", **form, confirmed="yes", note=f"{decision}, I saw")
    wait_until(
        lambda: b"indeterminate" not in scene.client.download(sent.task_id, "out.csv"), seconds=60
    )

    after = scene.client.get(sent.task_id)
    output = scene.client.download(sent.task_id, "out.csv").decode()
    failed = scene.client.download(sent.task_id, "failed.csv").decode()
    done, not_done, again = (sent.lines[number - 1] for _, number in rows)
    assert re.findall("indeterminate", shown)
    assert done.raw.decode() + ",,\n" in output
    assert re.search(f"{re.escape(not_done.raw.decode())},,.*not.*\n", output)
    assert again.raw.decode() + f",{again.name.upper()},\n" in output
    assert not_done.raw.decode() in failed
    assert done.raw.decode() not in failed
    assert after["success_count"] == before["success_count"] + 2
    assert after["failure_count"] == before["failure_count"] - 2
    assert (after["status"], output.count("indeterminate")) == (before["status"], 0)
    calls = scene.world.calls_of(sent.task_id)
    assert [len(calls[line.name]) for line in (done, not_done, again)] == [1, 1, 2]
    assert len(set(calls[again.name])) == 1
    events = scene.execute(
        "SELECT actor, detail FROM tasks_app_taskevent WHERE task_id = %s AND kind = 'decided'",
        sent.task_id,
    )
    assert [actor for actor, _ in events] == ["staff:anna"] * 3
    for decision, (_, detail) in zip(DECISIONS, events, strict=True):
        assert f"{decision}, I saw" in str(detail)
