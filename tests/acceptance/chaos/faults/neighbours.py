"""What if another installation has the same broker? Neither gets the other's messages."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from itertools import chain
from random import Random

from tests.acceptance.chaos import breakages_of_brokers  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.brokers import BROKERS
from tests.acceptance.chaos.posting import RUN_SLICE, Post
from tests.acceptance.chaos.reconciling import reconcile
from tests.acceptance.chaos.scene import SILENCE_SECONDS, WORKERS, Scene
from tests.acceptance.chaos.work import Work
from tests.servers import wait_until

ROWS = 2_000  # of a task
ASTRAY = 3  # messages for the one in a queue of the other
SAID = "of another installation"  # in a worker's log


@fault(
    "two installations share one broker: a virtual host of RabbitMQ, a database of Redis",
    outcome="neither gets the other's messages; a misdirected one is given back with a warning",
    on=BROKERS,
    broken_by="queues-of-everybody",
)
def two_installations(work: Work) -> None:
    """Run another whole installation beside the scene's, and tasks in both."""
    scene = work.scene
    folder = scene.installation.folder / f"neighbour-{uuid.uuid4().hex}"
    with Scene(scene.kind, folder, scene.servers, scene.installation.root) as neighbour:
        others = Work(neighbour, Random(work.random.random()))
        both = (work, others)
        for each in both:
            each.begin("write", "each", "spread", rows=ROWS)
        for each in both:
            each.get_going(0.02, 0.05)
        run_without_rest(both)
        send_astray(work, others)
        problems = reconcile(others)
        assert not problems, f"the other installation: {problems}"


def run_without_rest(works: Sequence[Work]) -> None:
    """Wait until all tasks are over; raise when one stands still as after a lost message."""
    moved: dict[str, tuple[int, float]] = {}
    while not all(work.is_over() for work in works):
        now = time.monotonic()
        for task_id, done, is_over, _ in chain.from_iterable(work.standing() for work in works):
            before, at = moved.get(task_id, (-1, now))
            if done != before or is_over:
                moved[task_id] = (done, now)
            elif now - at > SILENCE_SECONDS - 1:
                raise AssertionError(f"task {task_id} stood still: a message was lost")
        time.sleep(0.1)


def send_astray(work: Work, others: Work) -> None:
    """Put messages for the one installation into the queue of the other, which has to say so."""
    scene, neighbour = work.scene, others.scene
    headers = {"installation": neighbour.key}
    with Post(scene) as post:
        for _ in range(ASTRAY):
            post.send(RUN_SLICE, others.sent[0].task_id, 1, headers=headers)
    wait_until(lambda: any(SAID in scene.installation.log(name) for name in WORKERS), seconds=30)
    wait_until(lambda: not scene.waiting_messages(), seconds=30)
    wait_until(lambda: not neighbour.waiting_messages(), seconds=30)
