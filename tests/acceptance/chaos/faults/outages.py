"""What if the database takes no writes or sessions, has no disk, or is another server now?"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import requests

from tests.acceptance.chaos import breakages_of_databases  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.databases import EVERYTHING, ON_SERVERS, TERMINATE
from tests.acceptance.chaos.faults.locks import assert_none_failed_otherwise
from tests.acceptance.chaos.hosts import small_disk
from tests.acceptance.chaos.scene import WORKERS
from tests.acceptance.chaos.work import (
    BOOT_SECONDS,
    MAX_RECOVERY,
    Sent,
    Work,
    content_of,
    make_lines,
)
from tests.servers import RabbitMQ, Standby, unprivileged_user, wait_until

ALL = ("web", "beat", *WORKERS)
DISK_MEGABYTES = 8
ROWS = 300  # of each task
PACE = 0.01  # seconds per row: they take longer than what happens meanwhile
NAMED = "ALTER DATABASE {} SET default_transaction_read_only = {}"


def begin_slowly(work: Work) -> list[Sent]:
    """Start tasks of all kinds that are still at it when something happens."""
    work.scene.set_pace(PACE)
    return work.begin(*EVERYTHING, rows=ROWS)


@fault(
    "the database takes no writes for a while, like a standby, or after a fail-over",
    outcome="uploads get 503, and so does `/healthz`; rows wait, and none fails",
    on=ON_SERVERS,
    broken_by="read-only-unknown",
)
def database_read_only(work: Work) -> None:
    """Make it read-only for new sessions, and cut the old ones, while rows are worked on."""
    scene = work.scene
    database = scene.database_url.rpartition("/")[2]
    writing = begin_slowly(work)
    work.begin_pages()
    work.get_going()
    scene.execute(NAMED.format(database, "on"))
    try:
        scene.execute(TERMINATE)
        assert_refused(work)
        time.sleep(work.random.uniform(2, 6))
    finally:
        with psycopg.connect(scene.database_url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(NAMED.format(database, "off").encode())
    scene.execute(TERMINATE)
    work.all_go_on()
    assert_none_failed_otherwise(work, writing)


def assert_refused(work: Work) -> None:
    """See that an upload is refused with 503, and that a load balancer is told."""
    client = work.scene.client
    answer = client.session.put(
        client.tasks,
        params={"category": "chaos", "action": "write"},
        data=content_of(make_lines(work.random, 20, {})),
        headers={"Content-Type": "text/csv"},
        timeout=60,
    )
    assert answer.status_code == 503, f"an upload got {answer.status_code}: {answer.text}"
    health = requests.get(f"{work.scene.installation.url}/healthz", timeout=60)
    assert (health.status_code, health.json()["database"]) == (503, "read-only"), health.text


@fault(
    "other clients take all connections of PostgreSQL (`max_connections`)",
    outcome="requests get 503; tasks stay `executing`, and continue by themselves",
    on=ON_SERVERS,
    broken_by="cursor-apart",
)
def connections_exhausted(work: Work) -> None:
    """Cut all sessions, several times, and take their places."""
    begin_slowly(work)
    for _ in range(3):
        work.get_going(0.05, 0.4)
        with contextlib.ExitStack() as taken:
            work.scene.execute(TERMINATE)
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    connection = psycopg.connect(work.scene.database_url, connect_timeout=5)
                    taken.enter_context(contextlib.closing(connection))
            time.sleep(work.random.uniform(2, 5))
        work.go_on()


@fault(
    "the role may no longer log in, and its sessions are cut; later it may log in again",
    outcome="requests get 503; tasks stay `executing`, and continue by themselves",
    on=ON_SERVERS,
    broken_by="cursor-apart",
)
def database_login_refused(work: Work) -> None:
    """Take the right to log in from the role of all our processes."""
    scene = work.scene
    role = f"owner_of_{scene.database_url.rpartition('/')[2]}"
    scene.execute(f"CREATE ROLE {role} LOGIN")
    scene.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    scene.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    scene.kill(*ALL)
    for name in ALL:
        scene.start(name, DATABASE_URL=scene.database_url.replace("//postgres@", f"//{role}@"))
    wait_until(scene.installation.answers, seconds=60)
    begin_slowly(work)
    for share in (0.05, 0.3):
        work.get_going(share, share + 0.2)
        scene.execute(f"ALTER ROLE {role} NOLOGIN")
        scene.execute(TERMINATE)
        time.sleep(work.random.uniform(2, 5))
        scene.execute(f"ALTER ROLE {role} LOGIN")
        work.go_on()
    work.end()
    scene.kill(*ALL)
    scene.restore()
    scene.execute(f"DROP OWNED BY {role}")
    scene.execute(f"DROP ROLE {role}")


@fault(
    "the disk of PostgreSQL's tables is full",
    outcome="rows wait, and none fails; they continue when there is room",
    on=ON_SERVERS,
    broken_by="trouble-blamed",
)
def database_disk_full(work: Work) -> None:
    """Put the tables that grow on a small disk, and fill it twice."""
    with growing_tables_on_a_small_disk(work) as disk:
        writing = work.begin("write", "each", "spread", rows=2_000)
        work.begin("read", rows=2_000)
        for share in (0.05, 0.3):
            work.get_going(share, share + 0.1)
            filler = disk / "filler"
            with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(64 * 1024))
            time.sleep(work.random.uniform(3, 6))
            filler.unlink()
            work.go_on()
        work.end()
    assert_none_failed_otherwise(work, writing)


@contextlib.contextmanager
def growing_tables_on_a_small_disk(work: Work) -> Iterator[Path]:
    """Keep effects and parts on a disk of their own."""
    scene = work.scene
    space = f"small_{scene.database_url.rpartition('/')[2]}"
    tables = ("chaos_effect", "tasks_app_part")
    folder = Path(tempfile.mkdtemp(prefix="piston-tables-"))
    folder.chmod(0o755)
    with small_disk(folder, DISK_MEGABYTES):
        (folder / "tables").mkdir()
        if user := unprivileged_user():
            os.chown(folder / "tables", user.pw_uid, user.pw_gid)
        with psycopg.connect(scene.database_url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE {space} LOCATION '{folder / 'tables'}'".encode())
        for table in tables:
            scene.execute(f"ALTER TABLE {table} SET TABLESPACE {space}")
        try:
            yield folder
        finally:
            for table in tables:
                scene.execute(f"ALTER TABLE {table} SET TABLESPACE pg_default")
            with psycopg.connect(scene.database_url, autocommit=True) as connection:
                connection.execute(f"DROP TABLESPACE {space}".encode())
    folder.rmdir()


@fault(
    "PostgreSQL is killed (`SIGKILL`), and its standby is promoted at the same address",
    outcome="requests get 503 until then; rows continue at the last commit that the standby has",
    on=ON_SERVERS,
    broken_by="cursor-apart",
)
def standby_promoted(work: Work) -> None:
    """Let a synchronous standby take over."""
    scene = work.scene
    primary = scene.servers.postgresql
    with replicated(work) as standby:
        link = scene.link_to_database()
        scene.kill(*ALL)
        for name in ALL:
            scene.start(name, DATABASE_URL=link.url)
        wait_until(scene.installation.answers, seconds=60)
        begin_slowly(work)
        work.get_going()
        primary.kill9()
        link.cut()
        time.sleep(work.random.uniform(0, 3))
        link.target = ("127.0.0.1", standby.port)
        time.sleep(work.random.uniform(0, 2))  # read-only until it is promoted
        standby.promote()
        scene.database_url = scene.database_url.replace(f":{primary.port}/", f":{standby.port}/")
        work.all_go_on(within=MAX_RECOVERY + BOOT_SECONDS)
        work.end()
        scene.kill(*ALL)
    scene.restore()


@contextlib.contextmanager
def replicated(work: Work) -> Iterator[Standby]:
    """Let commits wait for a standby; what it has in the end takes the server's place."""
    primary = work.scene.servers.postgresql
    usual = work.scene.database_url
    with Standby(primary) as standby:
        with psycopg.connect(usual, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        try:
            yield standby
        finally:
            work.scene.database_url = usual
            primary.stop()
            primary.take_over_from(standby)


@fault(
    "a power cut: database, broker, web, beat and workers are killed (`SIGKILL`) at one moment, and"
    " started again",
    outcome="all are back; tasks continue at the last commit",
    on=ON_SERVERS,
    broken_by="no-sweeper",
)
def power_cut(work: Work) -> None:
    """Kill everything twice; RabbitMQ keeps its disk, Redis has none."""
    scene = work.scene
    servers = (scene.servers.postgresql, scene.broker)
    for share in (0.05, 0.4):
        begin_slowly(work)
        work.get_going(share, share + 0.2)
        for server in servers:
            server.kill9()
        scene.kill(*ALL)
        for server in servers:
            server.start()
        if isinstance(scene.broker, RabbitMQ):
            time.sleep(1)  # its queues are there a moment later
        for name in ALL:
            scene.start(name)
        wait_until(scene.installation.answers, seconds=60)
        work.all_go_on(within=MAX_RECOVERY + BOOT_SECONDS)
