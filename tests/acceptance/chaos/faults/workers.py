"""What if a worker dies, stands still or is replaced?"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import (
    CLAIM_SECONDS,
    EMBEDDED,
    RABBITMQ,
    REDIS,
    USUAL_PACE,
    WORKERS,
)
from tests.acceptance.chaos.work import MAX_RECOVERY, Work
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
    outcome="its batch is rolled back; another process continues at the last commit",
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
    outcome="tasks stay `executing`; they continue at the last commit",
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
    outcome="nothing stands still: the other worker continues",
    on=EVERYWHERE,
    broken_by="cursor-apart",
)
def workers_replaced(work: Work) -> None:
    """Deploy in mid-task."""
    work.begin("write", "spread", "each", "read")
    for name in WORKERS:
        work.get_going()
        work.scene.stop(name)
        work.scene.start(name, PISTON_SHUTDOWN_SECONDS="0")  # the next one is in a hurry
        work.go_on()
    work.get_going(0.5, 0.6)
    work.scene.stop(*WORKERS)
    for name in WORKERS:
        work.scene.start(name)
    work.go_on()


@fault(
    "a worker stands still (`SIGSTOP`) past its claim, then continues",
    outcome="another worker takes over; the late one's commits are refused",
    on=(RABBITMQ, REDIS),  # on SQLite it may hold the only write lock
    broken_by="claims-for-ever",
)
def worker_frozen(work: Work) -> None:
    """Freeze one worker until the other has taken over all its tasks."""
    work.begin("write", "each", "read", "read")
    for name in WORKERS:
        work.get_going(0.05, 0.2)
        process = work.scene.installation.processes[name].pid
        send_signal(process, signal.SIGSTOP)
        work.scene.set_pace(0.003)
        try:
            work.all_go_on()
        finally:
            send_signal(process, signal.SIGCONT)
        work.scene.set_pace(USUAL_PACE)


@fault(
    "a worker's statements reach the database after its claim has expired",
    outcome="another worker takes over; the late batch is refused as a whole",
    on=(RABBITMQ, REDIS),
    broken_by="no-fence",
)
def batches_late(work: Work) -> None:
    """Hold back the transactions of one of two workers now and then."""
    link = work.scene.link_to_database()
    work.scene.stop("worker-2")
    work.scene.start("worker-2", DATABASE_URL=link.url)
    work.begin("write", "read", "read", "spread", rows=6_000)
    work.get_going(0.1, 0.2)
    link.delay_transactions(work.random, 0.1, CLAIM_SECONDS * 2)
    work.all_go_on(within=3 * MAX_RECOVERY)
    work.get_going(0.7, 0.8)
    link.heal()
    work.go_on()
    work.remarks.append(f"{link.late_transactions} transactions came late")
    assert link.late_transactions, "nothing came late"


@fault(
    "pool processes and whole workers are killed at random moments of one 100,000-row task,"
    " 200 times",
    outcome="it ends by itself; every row has happened once, in order",
    on=(RABBITMQ,),
    broken_by="cursor-apart",
)
def two_hundred_kills(work: Work) -> None:
    """Kill again and again; rows become slower when the task comes along too well."""
    rows, kills = (10_000, 20) if work.is_short else (100_000, 200)
    work.scene.set_pace(0.006)
    (sent,) = work.begin("write", rows=rows)
    work.get_going(0.01, 0.02)
    killed = Counter[str]()
    while killed.total() < kills:
        is_ahead = work.done_rows() / rows > killed.total() / kills
        work.scene.set_pace(0.006 if is_ahead else 0.0006)
        time.sleep(work.random.uniform(0.0, 0.8))
        if work.random.random() < 0.15:
            name = work.random.choice(WORKERS)
            work.scene.kill(name)
            work.scene.start(name)
            killed["worker"] += 1
        elif kill_child(work):
            killed["pool process"] += 1
    assert not work.is_over(), "the task had ended before the last kill"
    work.scene.set_pace(0.0002)
    work.go_on()
    work.remarks.append(f"{dict(killed)} were killed in task {sent.task_id}")
