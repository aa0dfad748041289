"""What if whoever runs the processes is killed, or runs two releases beside each other?"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from tests.acceptance.chaos import breakages_of_operating  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, WORKERS
from tests.acceptance.chaos.work import MAX_STILL, Work
from tests.servers import family, wait_until

END_SECONDS = 30  # for what a killed supervisor leaves; 20 on a machine that does nothing else


@fault(
    "the supervisor of `make run` is killed (`SIGKILL`), and started again at once",
    outcome="web, worker and beat end by themselves; the next start waits for that, and continues",
    on=(EMBEDDED,),
    broken_by="members-outlive-supervisor",
)
def supervisor_killed(work: Work) -> None:
    """Kill the one process that everything else was started by."""
    scene = work.scene
    work.begin("write", "spread", "each", "read", rows=300)
    work.get_going(0.05, 0.1)
    scene.stop("web", "beat", *WORKERS)
    scene.installation.commands["serve"] = f"{sys.executable} manage.py serve"
    for _ in range(2):
        scene.start("serve")
        wait_until(scene.installation.answers, seconds=60)
        work.get_going(0.2, 0.4)
        supervisor = scene.installation.processes["serve"]
        members = family(supervisor.pid)[1:]
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        try:
            wait_until(lambda left=members: not any(map(lives, left)), seconds=END_SECONDS)  # type: ignore[misc]
        finally:
            for member in filter(lives, members):
                os.kill(member, signal.SIGKILL)
    scene.start("serve")
    wait_until(scene.installation.answers, seconds=60)
    work.go_on()
    scene.stop("serve")
    scene.restore()


@fault(
    "workers of two releases run at the same time: a category has another version in each",
    outcome="each task is done by a worker that has its version, or waits for one",
    on=(RABBITMQ, REDIS, EMBEDDED),
    broken_by="ends-what-does-not-fit",
)
def two_versions(work: Work) -> None:
    """Deploy a category's next version while tasks of the old one run, and for a while it alone."""
    scene = work.scene
    work.begin("write", "spread", "each", "read", rows=300)
    work.begin_pages()
    work.get_going(0.02, 0.1)
    scene.kill("worker-2", "web")
    scene.start("worker-2", CHAOS_VERSION="2")
    scene.start("web", CHAOS_VERSION="2")
    wait_until(scene.installation.answers, seconds=60)
    work.go_on()
    work.begin("write", "spread", "each", "read", rows=100)
    newer = {sent.task_id for sent in work.sent[5:]}
    work.wait_for(lambda: all(row[1] for row in work.standing() if row[0] in newer), 2 * MAX_STILL)
    scene.kill("worker-1")
    work.wait_for(lambda: all(row[2] for row in work.standing() if row[0] in newer), 2 * MAX_STILL)
    older = [row for row in work.standing() if row[0] not in newer]
    assert not all(row[2] for row in older), "the tasks of the old version had ended before"
    scene.start("worker-1")
    work.go_on()


def lives(process: int) -> bool:
    """Is there a process of this number that has not ended?"""
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    return False
