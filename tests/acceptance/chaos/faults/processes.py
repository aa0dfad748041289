"""What if any of our processes dies where there is only one worker? Its supervisor is all it has.

A supervisor sees only the processes that it has started. So it starts a worker again whose parent
has ended, and does not know of the processes of a pool.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

from tests.acceptance.chaos import breakages_of_messages  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.web import begin_uploads, count_tasks
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS
from tests.acceptance.chaos.work import Work, content_of, make_lines
from tests.servers import family, wait_until

EVERYWHERE = (EMBEDDED, RABBITMQ, REDIS)
WORKER = "worker-1"
POOL_SIZE = 2
ROUNDS = 3
ROWS = 1_000  # of a task: one worker alone takes its time
PATIENCE_SECONDS = 60
ORPHAN_SECONDS = 10  # for what has lost its parent to end by itself


def pool_of(work: Work) -> list[int]:
    """Return the processes of the only worker's pool, as soon as it is complete."""
    parent = work.scene.installation.processes[WORKER].pid
    wait_until(lambda: len(family(parent)) == 1 + POOL_SIZE, seconds=PATIENCE_SECONDS)
    return family(parent)[1:]


def kill_idle(work: Work, choose: Callable[[list[int]], list[int]]) -> None:
    """Kill processes of the pool while there is nothing to do; then there is something to do."""
    work.end()
    kill(*choose(pool_of(work)))
    work.begin("write", "each", rows=200)
    work.go_on()
    work.end()


def kill(*processes: int) -> None:
    """Kill exactly these, not what descends from them."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):  # it was killed a moment ago
            os.kill(process, signal.SIGKILL)


def lose_parent(work: Work, name: str) -> list[int]:
    """Kill a process without its children; start it again as its supervisor would. Return them."""
    process = work.scene.installation.processes[name]
    children = family(process.pid)[1:]
    kill(process.pid)
    process.wait()
    work.scene.start(name)
    return children


def wait_for_end(orphans: list[int]) -> None:
    """Wait until processes that have lost their parent are gone."""
    try:
        wait_until(lambda: not any(map(is_alive, orphans)), seconds=ORPHAN_SECONDS)
    finally:
        kill(*filter(is_alive, orphans))  # of a broken build


def is_alive(process: int) -> bool:
    """Return whether a process exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@fault(
    "idle processes of the only worker's pool are killed (`SIGKILL`), one by one",
    outcome="the worker replaces them; the next task runs at once",
    on=EVERYWHERE,
    broken_by="shared-pipe",
)
def idle_pool_process_killed(work: Work) -> None:
    """Kill the first, then the last: with a shared pipe, one of them waits at it for the others."""
    work.scene.kill("worker-2")
    work.begin("write", rows=200)
    for _ in range(ROUNDS):
        kill_idle(work, lambda pool: pool[:1])
        kill_idle(work, lambda pool: pool[-1:])
    work.scene.assert_workers_live(WORKER)


@fault(
    "all processes of the only worker's pool are killed (`SIGKILL`) at once, idle and busy",
    outcome="the worker replaces them; tasks continue at the last commit",
    on=EVERYWHERE,
    broken_by="shared-pipe",
)
def whole_pool_killed(work: Work) -> None:
    """Kill them again while the new ones have only just begun, too."""
    work.scene.kill("worker-2")
    work.begin("write", rows=200)
    for _ in range(1 if work.is_short else ROUNDS):
        kill_idle(work, lambda pool: pool)
    work.begin("write", "spread", "each", "read", rows=ROWS)
    work.begin_pages()
    for count in range(ROUNDS):
        work.get_going(0.2 * count, 0.2 * count + 0.1)
        kill(*pool_of(work))
        kill(*pool_of(work))
        work.go_on()
    work.scene.assert_workers_live(WORKER)


@fault(
    "the parent of the only worker's pool is killed (`SIGKILL`) alone, and started again",
    outcome="its pool ends with it; tasks continue at the last commit",
    on=EVERYWHERE,
    broken_by="orphans-live-on",
)
def worker_parent_killed(work: Work) -> None:
    """Kill it busy, then idle."""
    work.scene.kill("worker-2")
    work.begin("write", "spread", "each", "read", rows=ROWS)
    work.begin_pages()
    for _ in range(ROUNDS):
        work.get_going()
        wait_for_end(lose_parent(work, WORKER))
        work.go_on()
    work.end()
    orphans = lose_parent(work, WORKER)
    work.begin("write", "each", rows=200)
    work.go_on()
    wait_for_end(orphans)


@fault(
    "the parent of the web processes is killed (`SIGKILL`) alone, and started again",
    outcome="they end with it; open uploads break and leave nothing",
    on=EVERYWHERE,
    broken_by="web-orphans-live-on",
)
def web_parent_killed(work: Work) -> None:
    """Kill it while files are uploaded: a process that waited for them would keep the port."""
    scene = work.scene
    work.begin("write", "spread")
    content = content_of(make_lines(work.random, 3_000, {}, width=1_000))
    before = count_tasks(scene)
    uploads = begin_uploads(work, content, 2)
    wait_for_end(lose_parent(work, "web"))
    wait_until(scene.installation.answers, seconds=PATIENCE_SECONDS)
    answers = [upload.read_answer() for upload in uploads]
    assert answers == [(0, {})] * 2, f"a server that was killed has answered: {answers}"
    assert count_tasks(scene) == before, "broken uploads have left tasks"
    work.go_on()


@fault(
    "web, beat and the only worker are killed (`SIGKILL`) at one moment, and started again",
    outcome="all are back; tasks continue at the last commit",
    on=EVERYWHERE,
    broken_by="no-sweeper",
)
def everything_killed(work: Work) -> None:
    """Kill all that is ours, as a power cut would; first with the only message in hand."""
    scene = work.scene
    scene.kill("worker-2")
    names = ("web", "beat", WORKER)
    for actions in (["write"], ["spread", "each", "read"], ["write"]):
        work.begin(*actions, rows=ROWS)
        work.get_going(0.3, 0.5)
        kill(*(each for name in names for each in family(scene.installation.processes[name].pid)))
        for name in names:
            scene.installation.processes[name].wait()
            scene.start(name)
        wait_until(scene.installation.answers, seconds=PATIENCE_SECONDS)
        work.go_on()
