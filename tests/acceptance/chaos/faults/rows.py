"""What if a row kills its worker, or never returns?"""

from __future__ import annotations

from collections.abc import Sequence

from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.hosts import little_memory
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, WORKERS
from tests.acceptance.chaos.work import Work

EVERYWHERE = (RABBITMQ, REDIS, EMBEDDED)
BLAMED = r"the worker died on this row, 2 times"
WORKER_MEGABYTES = 700


ACTIONS = ("write", "spread", "each", "read")


def run_poison(work: Work, order: str, says: str, actions: Sequence[str] = ACTIONS) -> None:
    """Run tasks in each of which a row does that, at a random place."""
    for action in actions:
        places = work.random.sample(range(2_000), 1)
        (sent,) = work.begin(action, rows=2_000, special=dict.fromkeys(places, order))
        sent.tolerated[order] = says
    work.all_go_on(within=120)
    work.recovery_seconds = None  # nothing was healed: the row stays as it is


@fault(
    "a row crashes its worker (segmentation fault)",
    outcome=f"exactly that row fails: `{BLAMED}`",
    on=EVERYWHERE,
    broken_by="no-blame",
)
def row_segfaults(work: Work) -> None:
    """Let rows touch memory that is not theirs."""
    run_poison(work, "segfault", BLAMED)


@fault(
    "a row takes all memory; the kernel kills the worker's process",
    outcome=f"exactly that row fails: `{BLAMED}`",
    on=(RABBITMQ,),
    broken_by="no-blame",
)
def row_exhausts_memory(work: Work) -> None:
    """Let rows fill the memory of a worker that has little."""
    scene = work.scene
    with little_memory(WORKER_MEGABYTES) as inside:
        scene.stop(*WORKERS)
        scene.start(WORKERS[0], inside=inside)
        try:
            run_poison(work, "exhaust", BLAMED)
            work.end()
        finally:
            scene.kill(WORKERS[0])
    scene.restore()


@fault(
    "a row never returns",
    outcome="exactly that row fails after its action's `row_seconds`: `timed out`",
    on=(RABBITMQ, EMBEDDED),
    broken_by="no-alarm",
)
def row_hangs(work: Work) -> None:
    """Let rows sleep for ever."""
    run_poison(work, "hang", "timed out after 2 s")


@fault(
    "a row never returns from C code, which no alarm interrupts",
    outcome=f"its process is ended 3 s after `row_seconds`; the row fails: `{BLAMED}`",
    on=(RABBITMQ, EMBEDDED),
    broken_by="no-alarm",
)
def row_hangs_in_c(work: Work) -> None:
    """Let rows sleep for ever and hear nothing."""
    run_poison(work, "hang in C", BLAMED, ACTIONS[:2])
