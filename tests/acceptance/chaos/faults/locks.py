"""What if somebody else holds locks in the database: a person in psql, a report, a VACUUM FULL?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.acceptance.chaos import breakages_of_databases  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import RABBITMQ, REDIS, WORKERS, Scene
from tests.acceptance.chaos.work import Sent, Work, content_of
from tests.acceptance.installation import Client
from tests.servers import wait_until

ON_SERVERS = (RABBITMQ, REDIS)
MAX_SECONDS = 20.0  # of a small task of somebody else; undisturbed it takes one
NEIGHBOURS = 3  # small tasks one after the other
COMMIT_SECONDS = 7.0  # in which a commit has met a lock, and its claim, too
MANY = 52  # tasks: more than a sweep sends for
STILL = "stands still: its row is locked by PostgreSQL's process {}"
SEGMENTS_STILL = "stands still: its segments are locked by PostgreSQL's process {}"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted"
LOCK_TASK = "SELECT 1 FROM tasks_app_task WHERE id = %s FOR UPDATE"
LOCK_SEGMENTS = (
    "UPDATE tasks_app_segment SET index = index"
    " WHERE task_id IN (SELECT id FROM tasks_app_task WHERE account_id = %s)"
)
LOCK_ALL = (
    LOCK_SEGMENTS,
    "UPDATE tasks_app_task SET file_name = file_name WHERE account_id = %s",
    "UPDATE tasks_app_accountusage SET task_count = task_count WHERE account_id = %s",
    "UPDATE tasks_app_accountturn SET served_at = served_at WHERE account_id = %s",
)


@contextmanager
def held(scene: Scene, *statements: str, of: str | None = None) -> Iterator[int]:
    """Hold what some statements lock; yield the number of the process that does."""
    with psycopg.connect(scene.database_url) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        for statement in statements:
            connection.execute(statement.encode(), [] if of is None else [of])
        yield connection.info.backend_pid
        connection.rollback()


def run_neighbours(work: Work, action: str = "write") -> None:
    """Run small tasks of another account; each has to be over soon."""
    client = Client(work.scene.installation)
    for number in range(NEIGHBOURS):
        rows = b"".join(b"n%d,," % row + b"\n" for row in range(20))
        task_id = client.upload(content_of([]) + rows, category="chaos", action=action)
        began = time.monotonic()
        client.call("PATCH", task_id)
        try:
            wait_until(
                lambda: client.get(task_id)["status"] == "success",  # noqa: B023 - used at once
                seconds=MAX_SECONDS,
            )
        except TimeoutError:
            stands = client.get(task_id)
            raise AssertionError(
                f"another account's task {number} stands still: {stands}"
            ) from None
        took = time.monotonic() - began
        work.remarks.append(f"another account's small task took {took:.1f} s")


def workers_said(scene: Scene, words: str) -> bool:
    """Does it stand in a worker's log?"""
    return any(words in scene.installation.log(name) for name in WORKERS)


@fault(
    "somebody locks the row of a running task in the database, and keeps it",
    outcome="that task alone stands still, and the log names it and the process that has the lock",
    on=ON_SERVERS,
    broken_by="locks-waited-for",
)
def task_row_locked(work: Work) -> None:
    """Lock one row with FOR UPDATE, as a person does who looks into something."""
    (sent,) = work.begin("write")
    work.get_going(0.05, 0.2)
    with held(work.scene, LOCK_TASK, of=sent.task_id) as process:
        run_neighbours(work)
        words = f"{sent.task_id} {STILL.format(process)}"
        work.wait_for(lambda: workers_said(work.scene, words), MAX_SECONDS)
    work.all_go_on()


@fault(
    "somebody changes all tasks of an account, its segments and its counts, and does not commit",
    outcome="the tasks of that account stand still; those of others, and sweeps, go on",
    on=ON_SERVERS,
    broken_by="locks-waited-for",
)
def account_rows_locked(work: Work) -> None:
    """Lock more tasks than a sweep takes, of all kinds of work."""
    scene = work.scene
    sent = work.begin("write", "spread", "each", "read", rows=300)
    sent += [work.start(work.upload("write", rows=3)) for _ in range(MANY - len(sent))]
    work.get_going(0.05, 0.1)
    with held(scene, *LOCK_ALL, of=scene.client.account_id):
        run_neighbours(work)
    work.go_on()


@fault(
    "somebody locks all segments of a running task in the database, and keeps them",
    outcome="that task alone stands still, also for the workers whose claims are among what is"
    " locked; the log names it and the process that has the lock",
    on=ON_SERVERS,
    broken_by="locked-claims-first",
)
def segments_locked(work: Work) -> None:
    """Lock segments, not their task, while every process of the workers holds one."""
    scene = work.scene
    (sent,) = work.begin("spread")
    work.get_going(0.05, 0.2)
    with held(scene, LOCK_SEGMENTS, of=scene.client.account_id) as process:
        time.sleep(COMMIT_SECONDS)
        run_neighbours(work)
        words = f"{sent.task_id} {SEGMENTS_STILL.format(process)}"
        work.wait_for(lambda: workers_said(scene, words), MAX_SECONDS)
    work.all_go_on()


@fault(
    "the table that an action writes is locked for longer than a row may take: `VACUUM FULL`, say",
    outcome="its rows wait, and none fails; other tasks go on",
    on=ON_SERVERS,
    broken_by="waits-blamed",
)
def table_locked(work: Work) -> None:
    """Lock the table for ten times as long as a row may take, and let rows wait one by one."""
    writing = work.begin("write", "each", "spread", rows=1_000)
    work.get_going(0.05, 0.2)
    with held(work.scene, "LOCK TABLE chaos_effect IN ACCESS EXCLUSIVE MODE"):
        run_neighbours(work, "read")
        work.wait_for(lambda: work.scene.execute(WAITING) != [(0,)], MAX_SECONDS)
        time.sleep(20)  # that a row has waited alone, whatever else the machine does
    assert_none_failed_otherwise(work, writing)
    work.all_go_on()


def assert_none_failed_otherwise(work: Work, sent: list[Sent]) -> None:
    """Raise at once when a task has already more failed rows than are told to fail."""
    for each in sent:
        failed = work.scene.client.get(each.task_id)["failure_count"]
        told = sum(line.do == "fail" for line in each.lines)
        assert failed <= told, f"{failed} rows of {each.action} failed, {told} were told to"


@fault(
    "PostgreSQL stands still (`SIGSTOP`) for longer than a row may take",
    outcome="rows wait, and none fails",
    on=ON_SERVERS,
    broken_by="waits-blamed",
)
def database_frozen(work: Work) -> None:
    """Freeze the server a few times, with statements under way."""
    database = work.scene.servers.postgresql
    writing = work.begin("alone", "alone", rows=300)
    for share in (0.1, 0.3, 0.5):
        work.get_going(share, share + 0.1)
        database.freeze()
        time.sleep(3.5)  # rows of this action may take 2 s
        database.thaw()
        work.go_on()
    assert_none_failed_otherwise(work, writing)
