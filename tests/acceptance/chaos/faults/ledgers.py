"""What if the database has not the tables that code expects, or a fault strikes one row again?"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import requests

from tests.acceptance.chaos import breakages_of_ledgers  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, USUAL_PACE, WORKERS
from tests.acceptance.chaos.work import Work
from tests.servers import wait_until

ON_SERVERS = (RABBITMQ, REDIS)
EVERYWHERE = (RABBITMQ, REDIS, EMBEDDED)
NOTICE_SECONDS = 8  # piston.database.schema looks every 5 s, and a slice has to end
STILL_SECONDS = 3
LINGER_CLAIM_SECONDS = 12.5  # of an action whose rows may take 5 s
STRIKES = 3  # in the same row


@contextlib.contextmanager
def renamed(work: Work, what: str, old: str, new: str) -> Iterator[None]:
    """Let a table or a column have another name for a while."""
    work.scene.execute(f"ALTER TABLE {what} RENAME {old} TO {new}")
    try:
        yield
    finally:
        work.scene.execute(rename_back(what, old, new))


def rename_back(what: str, old: str, new: str) -> str:
    """Return the statement that undoes a renaming."""
    if old:
        return f"ALTER TABLE {what} RENAME {new} TO {old}"
    return f"ALTER TABLE {new} RENAME TO {what}"


@fault(
    "a table that an action writes to is gone for a while, then one of its columns",
    outcome="no row fails: the tasks wait, say so to staff, and continue by themselves",
    on=EVERYWHERE,
    broken_by="missing-tables-blamed",
)
def table_missing(work: Work) -> None:
    """Rename them while rows are written."""
    work.begin("write", "spread", "each", rows=800)
    for column in ("", "name"):
        work.get_going(0.05, 0.3)
        assert not work.is_over(), "the tasks had ended before"
        with renamed(work, "chaos_effect", column, "chaos_other"):
            time.sleep(work.random.uniform(2, 5))
        work.go_on()


@fault(
    "a table of the ledger is that of another release for a while: a column has another name",
    outcome="workers log an error and hand everything back; tasks continue by themselves",
    on=EVERYWHERE,
    broken_by="ledger-blames-action",
)
def ledger_altered(work: Work) -> None:
    """Rename columns of the tables that batches are committed to."""
    work.begin("write", "spread", "each", "read", rows=800)
    work.begin_pages()
    for table, column in (
        ("tasks_app_part", "row_count"),
        ("tasks_app_segment", "part_count"),
        ("tasks_app_task", "output_bytes"),
    ):
        work.get_going(0.05, 0.2)
        with renamed(work, table, column, "of_another_release"):
            time.sleep(work.random.uniform(2, 5))
        work.go_on()


@fault(
    "the schema is older than the code at first, and later newer: a newer release has migrated it",
    outcome="web, workers and beat take no work; they and `/readyz` say what to do; they"
    " continue without a restart",
    on=ON_SERVERS,
    broken_by="any-schema",
)
def another_schema(work: Work) -> None:
    """Take the last migration from the database's list, put it back, and add one of the future."""
    scene = work.scene
    scene.set_pace(0.02)
    work.begin("write", "spread", "each", "read", rows=600)
    (last,) = scene.execute("SELECT max(name) FROM django_migrations WHERE app = 'tasks_app'")[0]
    added = "INSERT INTO django_migrations (app, name, applied) VALUES ('tasks_app', %s, now())"
    taken = "DELETE FROM django_migrations WHERE app = 'tasks_app' AND name = %s"
    for name, alter, undo in ((last, taken, added), ("9999_future", added, taken)):
        work.get_going(0.02, 0.05)
        scene.execute(alter, name)
        try:
            time.sleep(NOTICE_SECONDS)
            assert_takes_no_work(work, name)
        finally:
            scene.execute(undo, name)
        work.go_on()
        wait_until(lambda: ask_readiness(work).ok, seconds=30)
    scene.assert_workers_live()
    scene.set_pace(USUAL_PACE)


def assert_takes_no_work(work: Work, name: str) -> None:
    """See that no row is done and no task begins, and that it is said why."""
    before = work.done_rows()
    time.sleep(STILL_SECONDS)
    assert work.done_rows() == before, "rows were done under another schema"
    answer = ask_readiness(work)
    assert answer.status_code == 503, f"/readyz says {answer.status_code}"
    assert f"tasks_app.{name}" in answer.text, f"/readyz says {answer.text}"
    client = work.scene.client
    upload = client.session.put(
        client.tasks,
        params={"category": "chaos", "action": "read"},
        data=b"name,note,do\na,,\n",
        headers={"Content-Type": "text/csv"},
        timeout=60,
    )
    assert upload.status_code == 503, f"an upload is answered {upload.status_code}"
    for processes in (("web",), ("beat",), WORKERS):
        logs = "".join(map(work.scene.installation.log, processes))
        assert f"tasks_app.{name}" in logs, f"{' and '.join(processes)} say nothing"


def ask_readiness(work: Work) -> requests.Response:
    """Ask web whether it can work."""
    return requests.get(f"{work.scene.installation.url}/readyz", timeout=30)


@fault(
    "PostgreSQL is killed (`SIGKILL`) three times, each time during the same row, and"
    " stays away until the claim has expired",
    outcome="the row is done like any other: no worker has died",
    on=ON_SERVERS,
    broken_by="silent-workers",
)
def database_killed_in_one_row(work: Work) -> None:
    """Kill the server whenever that row is being worked on."""
    server = work.scene.servers.postgresql

    def strike() -> None:
        server.kill9()
        work.scene.world.let_go()
        time.sleep(LINGER_CLAIM_SECONDS + work.random.uniform(0.5, 2))
        work.scene.world.hold()
        server.restart()

    strike_in_one_row(work, strike)


@fault(
    "the broker is killed (`SIGKILL`) three times, each time during the same row",
    outcome="the row is done like any other: the worker itself ended the process, because the"
    " message goes to another",
    on=ON_SERVERS,
    broken_by="ended-counts-as-killed",
)
def broker_killed_in_one_row(work: Work) -> None:
    """Kill the server whenever that row is being worked on."""
    broker = work.scene.broker

    def strike() -> None:
        broker.kill9()
        time.sleep(work.random.uniform(1, 3))
        work.scene.world.let_go()
        work.scene.world.hold()
        broker.restart()

    strike_in_one_row(work, strike)


@fault(
    "both workers are stopped (`SIGTERM`) three times, each time during the same row,"
    " which takes longer than a stop may",
    outcome="the row is done like any other: the worker itself ended the process",
    on=EVERYWHERE,
    broken_by="ended-counts-as-killed",
)
def workers_stopped_in_one_row(work: Work) -> None:
    """Restart the workers whenever that row is being worked on."""

    def strike() -> None:
        work.scene.stop(*WORKERS)
        work.scene.world.let_go()
        work.scene.world.hold()
        for name in WORKERS:
            work.scene.start(name)

    strike_in_one_row(work, strike)


def strike_in_one_row(work: Work, strike: Callable[[], None]) -> None:
    """Let something break whenever the row is being worked on; then let it be done."""
    world = work.scene.world
    world.hold()
    work.begin("linger", rows=20, special={work.random.randrange(20): "ask"})
    for count in range(STRIKES):
        assert world.wait_for_call(120), f"the row was not tried again after {count} strikes"
        strike()
    world.let_go()
    work.go_on(within=60)
