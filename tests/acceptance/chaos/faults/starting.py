"""What if what a process needs is not there when it starts?"""

from __future__ import annotations

import time

from tests.acceptance.chaos import breakages_of_brokers  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import RABBITMQ, REDIS, WORKERS
from tests.acceptance.chaos.work import BOOT_SECONDS, MAX_RECOVERY, Work

AWAY_SECONDS = 15  # longer than a worker takes to start
MAX_PAUSE = 10  # of somebody who waits for the database


@fault(
    "workers and beat are started while the database is away",
    outcome="they wait for it, and say so; then tasks continue",
    on=(RABBITMQ, REDIS),
    broken_by="database-expected",
)
def started_without_database(work: Work) -> None:
    """Kill everybody and the database; start them without it."""
    scene = work.scene
    work.begin("write", "each", "spread")
    work.get_going()
    scene.kill("beat", *WORKERS)
    scene.servers.postgresql.kill9()
    try:
        for name in ("beat", *WORKERS):
            scene.start(name)
        time.sleep(AWAY_SECONDS)
    finally:
        scene.servers.postgresql.restart()
    work.all_go_on(within=MAX_RECOVERY + MAX_PAUSE + BOOT_SECONDS)
    scene.assert_workers_live(*WORKERS, "beat")
