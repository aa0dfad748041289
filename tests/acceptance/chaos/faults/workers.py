"""What if a worker dies, stands still or is replaced?"""

from __future__ import annotations

import os
import signal
import time

from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import CLAIM_SECONDS, EMBEDDED, RABBITMQ, REDIS, WORKERS
from tests.acceptance.chaos.work import Work
from tests.servers import family, send_signal

EVERYWHERE = (RABBITMQ, REDIS, EMBEDDED)


def kill_child(work: Work) -> bool:
    """Kill one pool process of a random worker; False when there is none just now."""
    worker = work.random.choice(WORKERS)
    children = family(work.scene.installation.processes[worker].pid)[1:]
    if not children:
        return False
    os.kill(work.random.choice(children), signal.SIGKILL)
    return True


@fault(
    "one process of a worker's pool is killed (`SIGKILL`)",
    outcome="its batch is rolled back; another process goes on at the last commit",
    on=EVERYWHERE,
    broken_by="cursor-apart",
)
def pool_process_killed(work: Work) -> None:
    """Kill pool processes a few times."""
    work.begin("write", "spread", "each", "read")
    work.begin_pages()
    for _ in range(3):
        work.get_going()
        kill_child(work)
        work.go_on()


@fault(
    "both workers are killed (`SIGKILL`) and started again",
    outcome="tasks stay `executing`; they go on at the last commit",
    on=EVERYWHERE,
    broken_by="cursor-apart",
)
def workers_killed(work: Work) -> None:
    """Kill everything that works, at once."""
    work.begin("write", "spread", "each", "read")
    work.begin_pages()
    work.get_going()
    work.scene.kill(*WORKERS)
    for name in WORKERS:
        work.scene.start(name)
    work.go_on()


@fault(
    "workers are replaced one after the other (`SIGTERM`), as in a deploy",
    outcome="nothing stands still: the other worker goes on",
    on=EVERYWHERE,
    broken_by="cursor-apart",
)
def workers_replaced(work: Work) -> None:
    """Deploy in mid-task."""
    work.begin("write", "spread", "each", "read")
    for name in WORKERS:
        work.get_going()
        work.scene.stop(name)
        work.scene.start(name)
        work.go_on()


@fault(
    "a worker stands still (`SIGSTOP`) past its claim, then goes on",
    outcome="another worker takes over; what the late one brings is refused",
    on=EVERYWHERE,
    broken_by="no-fence",
)
def worker_frozen(work: Work) -> None:
    """Freeze one worker until others have taken its claims."""
    work.begin("write", "read", "read", "read")
    for name in WORKERS:
        work.get_going(0.05, 0.2)
        process = work.scene.installation.processes[name].pid
        send_signal(process, signal.SIGSTOP)
        work.go_on()
        time.sleep(CLAIM_SECONDS + 2)
        send_signal(process, signal.SIGCONT)
        work.go_on()
