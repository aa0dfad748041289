"""What if there are too many sweepers, or none?"""

from __future__ import annotations

import time

from tests.acceptance.chaos import breakages_of_messages  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.category import TICK
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.posting import SWEEP, Post
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, UPKEEP, WORKERS, Scene
from tests.acceptance.chaos.work import Work
from tests.servers import wait_until

EVERYWHERE = (RABBITMQ, REDIS, EMBEDDED)
MORE_BEATS = ("beat-2", "beat-3", "beat-4", "beat-5")
BURST = 40  # sweeps at once
ROUNDS = 4


@fault(
    "five beats sweep at once, and in bursts, while tasks are removed and workers are killed",
    outcome="nothing is sent, assembled, deleted or counted twice; a daily job runs once",
    on=EVERYWHERE,
    broken_by="jobs-for-everybody",
)
def five_sweepers(work: Work) -> None:
    """Let everybody sweep while there is something to sweep."""
    scene = work.scene
    for name in MORE_BEATS:
        scene.start(name)
    removed = [work.upload("write", rows=10).task_id for _ in range(ROUNDS * 5)]
    del work.sent[:]
    work.begin("write", "each", "read", "spread", rows=2_500)
    work.begin_pages()
    ticks_before = ticks(scene)
    wait_until(lambda: bool(last_tick(scene)), seconds=60)
    with Post(scene) as post:
        for count in range(1, ROUNDS + 1):
            work.get_going(0.1 * count, 0.1 * count + 0.1)
            scene.execute(f"UPDATE {JOBS} SET last_due_at = %s WHERE job = %s", LONG_AGO, TICK)
            for _ in range(5):
                scene.client.call("DELETE", removed.pop())
            for _ in range(BURST):
                post.send(SWEEP, queue=UPKEEP)
            wait_until(lambda: not last_tick(scene).startswith(LONG_AGO[:4]), seconds=60)
            name = work.random.choice(WORKERS)
            scene.kill(name)
            scene.start(name)
            work.go_on()
    work.end()
    many = ticks(scene) - ticks_before
    assert many == ROUNDS, f"a daily job that came due {ROUNDS} times ran {many} times"
    wait_until(lambda: tasks_counted(scene) == tasks_there(scene), seconds=60)


JOBS = "categories_periodicrun"
LONG_AGO = "2001-01-01 00:00:00+00:00"


def last_tick(scene: Scene) -> str:
    """Return when the daily job was last due; "" before it was ever seen."""
    rows = scene.execute(f"SELECT last_due_at FROM {JOBS} WHERE job = %s", TICK)
    return str(rows[0][0]) if rows else ""


def ticks(scene: Scene) -> int:
    """Return how often the daily job has run."""
    rows = scene.execute("SELECT count(*) FROM chaos_effect WHERE task_id = %s", TICK)
    return int(rows[0][0])


def tasks_counted(scene: Scene) -> int:
    """Return how many tasks the account has according to its count."""
    return int(scene.execute("SELECT sum(task_count) FROM tasks_app_accountusage")[0][0])


def tasks_there(scene: Scene) -> int:
    """Return how many tasks there are that are not removed."""
    return int(scene.execute("SELECT count(*) FROM tasks_app_task WHERE status != 'removed'")[0][0])


@fault(
    "beat is killed, then both workers with all their messages; beat comes back much later",
    outcome="nothing is lost; tasks continue once there is a sweeper",
    on=EVERYWHERE,
    broken_by="no-sweeper",
)
def no_sweeper(work: Work) -> None:
    """Leave the installation without a sweeper while it needs one."""
    scene = work.scene
    work.begin("write", "each", "read", "spread")
    work.begin_pages()
    work.get_going()
    scene.kill("beat", *WORKERS)
    with Post(scene) as post:
        time.sleep(0.5)  # until the broker has seen that the workers are gone
        post.purge()
    for name in WORKERS:
        scene.start(name)
    time.sleep(work.random.uniform(3, 10))
    scene.start("beat")
    work.all_go_on()
