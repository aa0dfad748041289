"""What if a machine's clock is wrong?"""

from __future__ import annotations

from tests.acceptance.chaos import (  # noqa: F401 - add their breakages
    breakages_of_databases,
    breakages_of_messages,
)
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.hosts import settable_clock, wrong_clock
from tests.acceptance.chaos.posting import Post
from tests.acceptance.chaos.scene import (
    RABBITMQ,
    REDIS,
    USUAL_PACE,
    WORKERS,
    Scene,
)
from tests.acceptance.chaos.work import MAX_RECOVERY, Work
from tests.servers import wait_until

SERVERS = (RABBITMQ, REDIS)  # the embedded database has the clock of whoever asks it


def one_worker_wrong(work: Work, offset: str) -> None:
    """Let one of two workers live in another hour; kill the other one, then that one."""
    scene = work.scene
    skewed = wrong_clock(offset)
    scene.stop("worker-1")
    scene.start("worker-1", **skewed)
    scene.set_pace(0.003)
    work.begin("write", "each", "read", "spread", rows=2_500)
    work.begin_pages()
    work.get_going(0.05, 0.15)
    scene.kill("worker-2")
    work.all_go_on()  # claims of the dead one have to expire, by the database's clock
    scene.start("worker-2")
    work.get_going(0.3, 0.5)
    scene.kill("worker-1")
    work.all_go_on()
    scene.start("worker-1", **skewed)
    scene.set_pace(USUAL_PACE)


@fault(
    "a worker's clock is an hour fast; the workers are killed one after the other",
    outcome="claims expire by the database's clock: the other worker takes over",
    on=SERVERS,
    broken_by="workers-clock",
)
def worker_clock_fast(work: Work) -> None:
    """Let a worker live in the future."""
    one_worker_wrong(work, "+1h")


@fault(
    "a worker's clock is an hour slow; the workers are killed one after the other",
    outcome="the same",
    on=SERVERS,
    broken_by="workers-clock",
)
def worker_clock_slow(work: Work) -> None:
    """Let a worker live in the past."""
    one_worker_wrong(work, "-1h")


@fault(
    "the clocks of web, beat and workers are set an hour back, then two hours forward; workers are"
    " killed",
    outcome="sweeps run on time; tokens and claims expire by the database's clock",
    on=SERVERS,
    broken_by="celerys-beat",
)
def clocks_set(work: Work) -> None:
    """Set the clock of everything but the database and the broker while it runs."""
    scene = work.scene
    file = scene.installation.folder / "clock"
    file.write_text("+0")
    settable = settable_clock(file)
    scene.stop("web", "beat", *WORKERS)
    for name in ("web", "beat", *WORKERS):
        scene.start(name, **settable)
    wait_until(scene.installation.answers, seconds=60)
    scene.set_pace(0.003)
    work.begin("write", "each", "read", "spread", rows=2_500)
    for offset, share in (("-1h", 0.1), ("+1h", 0.4)):
        work.get_going(share, share + 0.1)
        file.write_text(offset)
        scene.client.session.headers["X-Auth-Token"] = scene.client.sign_in()
        work.start(work.upload("write"))
        assert_swept(scene)
        scene.kill(*WORKERS)
        for name in WORKERS:
            scene.start(name, **settable)
        work.all_go_on()
    scene.set_pace(USUAL_PACE)


@fault(
    "the clock of PostgreSQL's machine was three hours ahead, and is put right; workers are killed"
    " and messages lost",
    outcome="work continues within half a minute, not three hours later",
    on=SERVERS,
    broken_by="future-believed",
)
def database_clock_put_back(work: Work) -> None:
    """Leave claims and messages in the future that nobody will come back for."""
    scene = work.scene
    database = scene.servers.postgresql
    file = database.folder / "clock"
    file.write_text("+3h")
    file.chmod(0o644)
    database.other_variables = settable_clock(file)
    try:
        database.restart()
        wait_until(scene.installation.answers, seconds=60)
        scene.client.session.headers["X-Auth-Token"] = scene.client.sign_in()
        scene.set_pace(0.003)
        work.begin("write", "each", "read", "spread", rows=600)
        work.begin_pages()
        work.get_going(0.05, 0.15)
        scene.kill(*WORKERS)
        with Post(scene) as post:
            post.purge()
        file.write_text("+0")
        for name in WORKERS:
            scene.start(name)
        work.all_go_on(within=2 * MAX_RECOVERY)  # not three hours
        scene.set_pace(USUAL_PACE)
        work.end()
    finally:
        file.write_text("+0")
        database.other_variables = {}
        database.restart()


def assert_swept(scene: Scene) -> None:
    """Remove a task; only a sweep takes its rows."""
    task_id = scene.client.upload(b"name\nr\n", category="chaos", action="write")
    scene.client.call("DELETE", task_id)
    remains = "SELECT count(*) FROM tasks_app_task WHERE id = %s"
    wait_until(lambda: scene.execute(remains, task_id) == [(0,)], seconds=MAX_RECOVERY)
