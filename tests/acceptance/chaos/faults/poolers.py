"""What if a pooler stands before the database, or the role that is used has settings of its own?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGCONT, SIGSTOP
from time import sleep

from tests.acceptance.chaos import breakages_of_databases  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.databases import ON_SERVERS, TERMINATE
from tests.acceptance.chaos.faults.locks import held
from tests.acceptance.chaos.faults.outages import begin_slowly
from tests.acceptance.chaos.scene import CLAIM_SECONDS, WORKERS
from tests.acceptance.chaos.work import BOOT_SECONDS, MAX_RECOVERY, Work
from tests.servers import PgBouncer, send_signal, wait_until

ALL = ("web", "beat", *WORKERS)
LOCK_TIME_OUT = "5s"
IDLE_TIME_OUT = f"{CLAIM_SECONDS}s"


@contextmanager
def pooled(work: Work, mode: str) -> Iterator[PgBouncer]:
    """Let everything reach the database through a pooler."""
    scene = work.scene
    name = scene.database_url.rpartition("/")[2]
    with PgBouncer(scene.servers.postgresql, mode) as pooler:
        url = f"{pooler.url.removesuffix('/postgres')}/{name}"
        scene.kill(*ALL)
        for process in ALL:
            scene.start(process, DATABASE_URL=url)
        try:
            wait_until(scene.installation.answers, seconds=60)
            yield pooler
        finally:
            scene.kill(*ALL)
    scene.restore()


def go_through_it(work: Work, pooler: PgBouncer) -> None:
    """Let rows wait for a lock, a worker freeze past its claim, the pooler and a worker die."""
    scene = work.scene
    begin_slowly(work)
    work.get_going(0.05, 0.1)
    with held(scene, "LOCK TABLE chaos_effect IN ACCESS EXCLUSIVE MODE"):
        sleep(8)
    work.go_on()
    work.get_going(0.2, 0.3)
    worker = scene.installation.processes[WORKERS[0]]
    send_signal(worker.pid, SIGSTOP)
    sleep(2 * CLAIM_SECONDS)
    send_signal(worker.pid, SIGCONT)
    work.all_go_on()
    work.get_going(0.4, 0.5)
    pooler.kill9()
    pooler.start()
    work.go_on()
    scene.kill(WORKERS[1])
    work.all_go_on(within=MAX_RECOVERY + BOOT_SECONDS)
    work.end()


@fault(
    "all processes reach PostgreSQL through PgBouncer in session mode; PgBouncer and"
    " a worker are killed",
    outcome="nothing differs: time-outs are those of Piston Tasks, no row is lost or repeated",
    on=ON_SERVERS,
    broken_by="options-at-the-start",
)
def pooled_by_session(work: Work) -> None:
    """Work through a pooler that gives each connection a session."""
    with pooled(work, "session") as pooler:
        go_through_it(work, pooler)


@fault(
    "all processes reach PostgreSQL through PgBouncer in transaction mode, with the"
    " time-outs given to the role; PgBouncer and a worker are killed",
    outcome="no row is lost or repeated",
    on=ON_SERVERS,
    broken_by="options-at-the-start",
)
def pooled_by_transaction(work: Work) -> None:
    """Work through a pooler that gives each transaction another session."""
    scene = work.scene
    with (
        role_with(
            work, lock_timeout=LOCK_TIME_OUT, idle_in_transaction_session_timeout=IDLE_TIME_OUT
        ),
        pooled(work, "transaction") as pooler,
    ):
        go_through_it(work, pooler)
    logs = "".join(map(scene.installation.log, ALL))
    assert "A pooler hands" not in logs, "it was warned of time-outs that the role has"


@contextmanager
def role_with(work: Work, **parameters: str) -> Iterator[None]:
    """Give the role settings of its own, for new sessions."""
    for name, value in parameters.items():
        work.scene.execute(f"ALTER ROLE postgres SET {name} = '{value}'")
    try:
        yield
    finally:
        for name in parameters:
            work.scene.execute(f"ALTER ROLE postgres RESET {name}")


@fault(
    "the role has time-outs of its own, of a tenth of a second",
    outcome="they have no effect: statements, locks and transactions get the time that they need",
    on=ON_SERVERS,
    broken_by="roles-time-outs",
)
def role_with_time_outs(work: Work) -> None:
    """Let rows send a statement that takes longer, and think for longer inside a transaction."""
    short = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with role_with(work, **dict.fromkeys(short, "100ms")):
        work.scene.execute(TERMINATE)
        work.scene.set_pace(0.003)
        for action in ("write", "each"):
            slow = work.start(
                work.upload(action, 400, {40: "slow statement", 90: "slow statement"})
            )
            slow.tolerated["slow statement"] = "^$"
        work.end()
